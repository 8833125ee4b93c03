"""The regression gate: the metrics of the workspace against those of a git revision.

`dvc metrics diff` shows differences and exits 0 whatever they are, also on a missing file, a NaN or
nothing at all. Here every metric gets a verdict, and the verdicts an exit status.
"""
