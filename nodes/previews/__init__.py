"""What the interface shows of the nodes' work."""
