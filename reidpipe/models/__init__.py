"""The network: backbone with attention, BN neck, classifier; and what it costs."""
