"""Numerical core of ConsistentID; imports no ComfyUI module."""
