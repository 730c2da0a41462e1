"""Commands for people who work on the pack; nothing here is loaded by ComfyUI."""
