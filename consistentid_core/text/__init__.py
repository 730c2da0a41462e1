"""Prompts and captions: the words that carry facial parts."""
