"""torchreid: KaiyangZhou/deep-person-reid, torchreid/models, osnet.py and resnet.py."""

from reidpipe.formats.checkpoints.codebase import CodeBase

SOURCE = "KaiyangZhou/deep-person-reid"
OSNET = CodeBase(
    name="torchreid's OSNet",
    source=SOURCE,
    marks=(r"conv2\.0\.conv2a\.conv1\.weight",),
    rules=(
        (r"^classifier\.", "head."),
        (r"^(conv[1-5]|fc)\.", r"backbone.\1."),
        # The streams of a block, of which the first is no list, and the layers of a Lite 3x3.
        (r"\.conv2a\.", ".streams.0.0."),
        (r"\.conv2b\.", ".streams.1."),
        (r"\.conv2c\.", ".streams.2."),
        (r"\.conv2d\.", ".streams.3."),
        (r"(\.streams\.\d\.\d)\.conv1\.", r"\1.0."),
        (r"(\.streams\.\d\.\d)\.conv2\.", r"\1.1."),
        (r"(\.streams\.\d\.\d)\.bn\.", r"\1.2."),
        # What stands around them.
        (r"^(backbone\.conv[234]\.[01])\.conv1\.", r"\1.first."),
        (r"^(backbone\.conv[234]\.[01])\.conv3\.", r"\1.last."),
        (r"\.downsample\.", ".shortcut."),
        (r"\.gate\.fc1\.", ".gate.first."),
        (r"\.gate\.fc2\.", ".gate.second."),
        (r"^(backbone\.conv[23]\.2)\.0\.", r"\1."),
        (r"\.conv\.", ".0."),
        (r"\.bn\.", ".1."),
    ),
)
RESNET = CodeBase(
    name="torchreid's ResNet",
    source=SOURCE,
    marks=(r"layer1\.0\.conv1\.weight", r"classifier\.weight|fc\.0\.weight"),
    rules=(
        (r"^(conv1|bn1|layer[1-4])\.", r"backbone.\1."),
        (r"^fc\.", "hidden."),
        (r"^classifier\.", "head."),
    ),
    last_stride=2,  # 1 where it has a hidden layer: resnet50_fc512
)
