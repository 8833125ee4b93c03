"""Before any test imports torch: reidpipe sets how its threads wait."""

import reidpipe as reidpipe  # noqa: PLC0414
