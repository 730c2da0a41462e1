"""What the pack's sockets carry, under ComfyUI's memory manager."""
