"""From photos to the features and ID tokens of a person."""
