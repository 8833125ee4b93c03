"""The field's protocol: distances, ranking, re-ranking, verification, confidence.

`definition` is the ranking in 25 lines, to read; `ranking` is the fast one, and equal.
"""
