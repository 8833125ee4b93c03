"""Everything that is wrong with a data set, collected and raised as one error."""

from pathlib import Path

from reidpipe.errors import UserError

SHOWN = 50
"""Examples of one kind that are kept and listed; the others are counted."""


class Problems:
    """What is wrong, by kind; memory stays bounded however much is wrong."""

    def __init__(self) -> None:
        self._examples: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    def add(self, kind: str, example: str = "") -> None:
        """Note one case of `kind`, a phrase in the plural."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        examples = self._examples.setdefault(kind, [])
        if len(examples) < SHOWN:
            examples.append(example)

    def __str__(self) -> str:
        return "\n".join(self._block(kind) for kind in self._counts)

    def _block(self, kind: str) -> str:
        count, examples = self._counts[kind], [text for text in self._examples[kind] if text]
        if not examples:
            return kind
        lines = [f"{kind} ({count}):", *("  " + text for text in examples)]
        return "\n".join(lines + [f"  and {count - SHOWN} more"] * (count > SHOWN))

    def refuse(self, where: Path, *, fix: str) -> None:
        """Raise UserError with every problem, if there is any.

        The first line names the kinds, so that it says something on its own.
        """
        if self._counts:
            kinds = "; ".join(kind.partition("\n")[0] for kind in self._counts)
            raise UserError(f"the data set is refused: {kinds}", where=where, found=self, fix=fix)
