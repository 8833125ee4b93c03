"""Under every stage: the machine, its ranks, streams of random numbers, what a person sees."""
