"""Runs that are not up to date, on many processors, GPUs or machines at once.

A task is what DVC would run of one run, in a checkout of its own; its results go into DVC's run
cache, where a plain `dvc repro` finds them. So there is one truth, dvc.lock, and one store.
"""
