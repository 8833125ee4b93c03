"""Person re-identification with a joint loss and attention: the library behind the DVC stages."""
