"""The recipes of docs/extending.md, as files, changes and commands."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/extending.md"

_BLOCK = re.compile(r"^```(python|diff|console) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    kind: str
    path: str
    """File that the block is, or changes; empty for commands."""
    text: str

    def apply(self, folder: Path) -> None:
        """Write the file, or make the change at each place that fits it."""
        path = folder / self.path
        if self.kind == "python":
            assert not path.exists(), f"{self.path} is not a new file"
            path.write_text(self.text)
        elif self.kind == "diff":
            text = path.read_text()
            for hunk in self.text.split("@@\n"):
                old, new = _side(hunk, "-"), _side(hunk, "+")
                assert old in text, f"{self.path} has no such lines:\n{old}"
                text = text.replace(old, new)
            path.write_text(text)

    @property
    def commands(self) -> list[str]:
        return [line.removeprefix("$ ") for line in self.text.splitlines()]


def _side(hunk: str, sign: str) -> str:
    return "\n".join(line[1:] for line in hunk.splitlines() if line[0] in (" ", sign))


def recipe(title: str) -> list[Block]:
    """Blocks below the heading `title`, in order."""
    _, found, after = DOCUMENT.read_text().partition(f"\n## {title}\n")
    assert found, f"{DOCUMENT.name} has no recipe {title!r}"
    section = after.partition("\n## ")[0]
    blocks = [Block(*parts) for parts in _BLOCK.findall(section)]
    assert blocks
    return blocks
