"""A benchmark of people who do not exist: `generation` writes it in a real one's layout."""
