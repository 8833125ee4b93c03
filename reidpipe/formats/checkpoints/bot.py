"""Bag of Tricks: michuanhaohao/reid-strong-baseline, modeling/baseline.py."""

from reidpipe.formats.checkpoints.codebase import CodeBase

BOT = CodeBase(
    name="BoT",
    source="michuanhaohao/reid-strong-baseline",
    marks=(r"base\.conv1\.weight",),
    rules=(
        (r"^base\.", "backbone."),
        (r"^bottleneck\.", "neck."),
        (r"^classifier\.", "head."),
    ),
)
