"""Model files: what they are, where they lie, and how they are read without running code."""
