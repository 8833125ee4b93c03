"""How far a metric scatters over experiments that differ in their seed alone."""
