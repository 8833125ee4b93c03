"""FastReID: JDAI-CV/fast-reid, fastreid/modeling; names of its first and of its present heads.

Its stem pools without padding since its commits of 2020 (a copy of that code was read, not the
commit that changed it); a file does not tell.
"""

from reidpipe.formats.checkpoints.codebase import CodeBase

FASTREID = CodeBase(
    name="FastReID",
    source="JDAI-CV/fast-reid",
    marks=(r"backbone\.conv1\.weight", r"heads\..*|pixel_mean"),
    rules=(
        (r"^heads\.(bottleneck\.0|bnneck)\.", "neck."),
        (r"^heads\.(classifier\.)?weight$", "head.weight"),
    ),
    unused="pixel_mean|pixel_std",
    ceil=True,
)
