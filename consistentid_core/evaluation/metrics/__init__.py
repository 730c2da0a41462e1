"""The metrics, one file each: from pictures or vectors to numbers."""
