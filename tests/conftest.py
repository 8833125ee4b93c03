"""Before any test imports torch: reidpipe sets how its threads wait, and the instructions."""

import reidpipe as reidpipe  # noqa: PLC0414
from reidpipe.runtime import machine

# Tests compute long before the first of them calls a stage, which would be refused as too late.
machine.pin("avx2")
