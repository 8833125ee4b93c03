"""Make the first weights that runs start from."""

from pathlib import Path

from reidpipe.errors import reported
from reidpipe.formats import plan
from reidpipe.training.weights import first_weights


def main() -> None:
    role, entry = plan.asked("weights", __doc__)
    if said := first_weights(entry, Path(f"data/weights/{role}.safetensors")):
        print(said)


if __name__ == "__main__":
    with reported():
        main()
