"""What makes a KAN differ from an MLP, one change at a time."""
