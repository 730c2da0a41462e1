"""What the pack asks of ComfyUI beside its nodes: folders, pictures, inputs, served files."""
