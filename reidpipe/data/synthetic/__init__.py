"""A benchmark of people who do not exist: `generate` writes it in a real benchmark's layout."""

from reidpipe.data.synthetic.generation import generate

__all__ = ["generate"]
