"""Features that another programme made: what they come in, and what they scored here."""
