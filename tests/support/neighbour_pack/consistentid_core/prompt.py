"""Another pack's module of the same name as one of ours, without anything ours has."""
