"""File formats that several rooms read or write: a file each, which knows both directions."""
