"""Make the backbone that pre-trained runs start from."""

from pathlib import Path

from reidpipe import params
from reidpipe.errors import reported
from reidpipe.pretraining import backbone_weights


def main() -> None:
    chosen = params.load().active
    out = Path("data/weights/backbone.safetensors")
    backbone_weights(chosen.weights, chosen.train, out)


if __name__ == "__main__":
    with reported():
        main()
