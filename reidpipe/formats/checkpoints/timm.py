"""ResNets of timm and torchvision, whose names are one another's and those of our trunks."""

from reidpipe.formats.checkpoints.codebase import CodeBase

TIMM = CodeBase(
    name="timm or torchvision",
    source="huggingface/pytorch-image-models, timm/models/resnet.py",
    marks=(r"layer1\.0\.conv1\.weight",),
    rules=((r"^(conv1|bn1|layer[1-4])\.", r"backbone.\1."), (r"^fc\.", "head.")),
    last_stride=2,
)
