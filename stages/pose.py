"""Train AACN's pose branch on synthetic people, and put it beside a trunk."""

from pathlib import Path

from reidpipe.errors import reported
from reidpipe.formats import plan
from reidpipe.formats.runs import POSE_FILE, weights_file
from reidpipe.training.pose import pose


def main() -> None:
    pose(plan.entry("pose"), Path(weights_file("resnet")), Path(POSE_FILE))


if __name__ == "__main__":
    with reported():
        main()
