"""From a photo to the facial parts, their crops and their pixels."""
