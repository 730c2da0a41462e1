"""Evidence: what pictures of a person are worth, as numbers."""
