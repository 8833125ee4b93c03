"""What download and split do: sources, layouts, checks, packing, the manifest."""
