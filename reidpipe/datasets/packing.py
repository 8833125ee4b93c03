"""Pack a data set: every image decoded once on the way in, one stored zip out.

Members are sorted, with fixed dates and rights, so that equal images make equal bytes whatever they
came in. Names are relative to the layout's root.
"""

import shutil
import warnings
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from reidpipe.datasets import layouts, splitting
from reidpipe.datasets.sources.listing import Tree, UnreadableFileError
from reidpipe.datasets.sources.opening import open_tree
from reidpipe.errors import Problems, UserError
from reidpipe.files import replacing
from reidpipe.formats import zips
from reidpipe.formats.pictures import BadImageError, inspect
from reidpipe.formats.settings.data import Counts

_THREADS = 2
_AHEAD = 8
"""Members read before the first of them is checked: bounds the memory, with MAX_FILE_BYTES."""

Member = tuple[str, bytes, Future[str]]
Report = Callable[[int, int], object]


def pack(
    source: Path,
    destination: Path,
    layout: str,
    *,
    counts: Counts | None = None,
    extras: Collection[str] = (),
    report: Report | None = None,
) -> Counter[str]:
    """Check a zip, tar, tar.gz or folder and write what `layout` reads of it as one stored zip.

    `extras` are files at the source's top to take along as they are; `report` is told how many
    members are done, of how many. Returns how many images there are of each mode (Pillow's names);
    those that are not RGB are converted by `decode`.

    Raises:
        UserError: all that the listing shows as wrong, or else all that decoding shows.
    """
    try:
        return _pack(source, destination, layout, counts, extras=extras, report=report)
    except OSError as error:  # a full disk, missing rights
        raise UserError(
            "a data set cannot be packed",
            where=error.filename or destination,
            found=error.strerror,
            fix="mind the free space and the rights of the folders",
        ) from error


def _pack(
    source: Path,
    destination: Path,
    layout: str,
    counts: Counts | None,
    *,
    extras: Collection[str],
    report: Report | None,
) -> Counter[str]:
    with open_tree(source, destination.parent) as opened:
        tree = layouts.locate(opened, layout)
        reading = splitting.read_checked(tree, layout, counts)
        plain = dict.fromkeys(extras, opened) | dict.fromkeys(reading.lists, tree)
        trees = plain | dict.fromkeys(reading.images, tree)
        _check_space(destination.parent, sum(trees[name].sizes[name] for name in trees))
        with replacing(destination) as temporary:
            modes, problems = _write(temporary, _checked(trees, plain), len(trees), report)
            problems.refuse(source, fix="mend or remove these, or take the archive again")
    return modes


def _check_space(folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            "the disk is too full for the data set",
            where=folder,
            expected=f"{needed:,} bytes",
            found=f"{free:,} bytes free",
            fix="free some space",
        )


def _write(
    path: Path, members: Iterable[Member], total: int, report: Report | None
) -> tuple[Counter[str], Problems]:
    problems, modes = Problems(), Counter[str]()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as zipped:
        for done, (name, content, mode) in enumerate(members, start=1):
            try:
                modes[mode.result()] += 1
                zipped.writestr(zips.entry(name), content)
            except BadImageError as error:
                problems.add(error.kind, f"{name}: {error}")
            if report:
                report(done, total)
    del modes[""]
    return modes, problems


def _checked(trees: Mapping[str, Tree], plain: Collection[str]) -> Iterator[Member]:
    """Members in order, read here and inspected in threads (Pillow decodes outside the lock)."""
    waiting: deque[Member] = deque()
    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for name in sorted(trees):
            if len(waiting) == _AHEAD:
                yield waiting.popleft()
            waiting.append(_member(name, trees[name], pool, is_image=name not in plain))
        yield from waiting


def _member(name: str, tree: Tree, pool: ThreadPoolExecutor, *, is_image: bool) -> Member:
    mode: Future[str] = Future()
    try:
        content = tree.read(name)
    except UnreadableFileError as error:
        mode.set_exception(BadImageError("files that cannot be read", str(error)))
        return name, b"", mode
    if is_image:
        return name, content, pool.submit(inspect, content)
    mode.set_result("")
    return name, content, mode
