"""What systems share: the ResNet with its slots, places of attention, heads, first weights."""
