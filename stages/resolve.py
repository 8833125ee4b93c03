"""Check params.yaml and runs.yaml, and write plan.json, which all other stages obey."""

from reidpipe.errors import reported
from reidpipe.plan.resolve import resolve

if __name__ == "__main__":
    with reported():
        resolve()
