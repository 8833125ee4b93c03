"""What a network is fed with: images read, sampled, augmented and made ahead."""
