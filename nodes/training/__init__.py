"""ComfyUI's models as the training core calls them."""
