"""Data sets: archives, layouts, manifests, pictures, batches."""
