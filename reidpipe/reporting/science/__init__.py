"""Tables, claims, differences: what the numbers say."""
