"""What a layout reads from a tree of files."""

from dataclasses import dataclass
from typing import NamedTuple

from reidpipe.formats.manifest import Subset


class Record(NamedTuple):
    """One image."""

    member: str
    """Name in `data/raw/DATASET.zip`."""
    pid: int
    camid: int
    """As in the file name, from 1."""
    subset: Subset


@dataclass(frozen=True)
class Reading:
    """Images of the three subsets, and what a benchmark keeps beside them."""

    records: tuple[Record, ...]
    val: tuple[Record, ...] = ()
    """Training images of a validation list (MSMT17): codebases disagree on using them."""
    junk: tuple[str, ...] = ()
    """Images that the protocol drops (Market-1501's -1)."""
    lists: tuple[str, ...] = ()
    """Members that are no images."""
    shared_ids: bool = True
    """A pid means the same person in train and test."""

    @property
    def images(self) -> list[str]:
        """Names of all images that the layout reads, sorted."""
        return sorted({row.member for row in self.records + self.val} | set(self.junk))

    def used(self, *, use_val: bool) -> tuple[Record, ...]:
        """The records, with the validation list where it counts as training."""
        return self.records + self.val if use_val else self.records

    def of(self, *subsets: Subset) -> list[Record]:
        """The records of the named subsets."""
        return [row for row in self.records if row.subset in subsets]
