"""reidpipe reproduced."""


def reproduced() -> None:
    """Say whether this machine made the bytes that are committed, and what to do if not.

    Example: dvc repro && reidpipe reproduced
    """
    from reidpipe.commands.check.reproduced import WAYS_ON, reproduction

    found = reproduction()
    print(found)
    if found.other_bytes:
        print(WAYS_ON)
