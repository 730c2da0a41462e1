"""Draw the pictures of README and help pages."""
