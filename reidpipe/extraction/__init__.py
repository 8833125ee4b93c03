"""What the extract stage does."""
