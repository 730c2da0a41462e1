"""The networks of ConsistentID, and what reads and applies their weights."""
