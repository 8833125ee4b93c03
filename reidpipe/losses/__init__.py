"""What is minimised: cross-entropy on the classifier's logits, triplet on the features."""
