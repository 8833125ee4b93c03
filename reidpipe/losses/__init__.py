"""Pure functions of tensors, a paper per file."""
