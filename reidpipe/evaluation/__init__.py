"""What the evaluate stage does, and what colours alone achieve."""
