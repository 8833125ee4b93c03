"""What the other stages left behind, and the paper's numbers."""
