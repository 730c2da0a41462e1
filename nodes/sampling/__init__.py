"""What happens while a model samples: the ID attention and the LoRA."""
