"""Users' files and `-S` on their command lines depend on the keys: none changes unnoticed."""

from pathlib import Path

from tests.formats.keys import keys

FROZEN = Path(__file__).with_name("keys.txt")


def test_the_keys_are_frozen() -> None:
    """A change is meant? `python -m tests.formats.keys > tests/params/keys.txt`, and say so."""
    frozen = FROZEN.read_text().splitlines()
    assert {"seed", "check.tolerance.*", "embedded.systems.ours.circle.margin"} <= set(frozen)
    assert keys() == frozen
