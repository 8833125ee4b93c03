"""One paper per file: its network, its losses, its recipe."""
