"""Weights that other people's code saved: their files, and their names for our tensors.

A file per code base says what it is known by and what it calls each tensor; `renaming` has them
all.
"""
