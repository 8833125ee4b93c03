"""What each query of a run, or of features from elsewhere, scored, here or in another revision."""

from pathlib import Path

from reidpipe.errors import UserError
from reidpipe.formats import lock, queries, ranking, runs
from reidpipe.formats.foreign import results
from reidpipe.formats.foreign.results import ABOUT, PREFIX, QUERIES
from reidpipe.formats.queries import Queries
from reidpipe.formats.runs import known_run
from reidpipe.runtime import git


def scores(name: str) -> Queries:
    """Those of `RUN` in the workspace, or of `REVISION:RUN`; an experiment is a revision.

    They are in git; of commits from before they were, the ranking may still be in the cache. In
    place of a run, `foreign/NAME` are those of features from elsewhere.

    Raises:
        UserError: neither is there, or there is no such run.
    """
    revision, named, run = name.rpartition(":")
    if run.startswith(PREFIX):
        content, where = _foreign(name, QUERIES)
        return queries.parse(content, where)
    table, ranked = queries.FOLDER / f"{run}.csv", f"runs/{run}/ranking.npz"
    if not named:
        if table.exists():
            return queries.parse(table.read_bytes(), table)
        if not Path(ranked).exists():
            known_run(run, list(runs.load().runs))
        return ranking.read(Path(ranked)).queries
    path, commit = table.as_posix(), git.resolve(revision)
    if git.has(commit, path):
        return queries.parse(git.show(commit, path), f"{revision}:{path}")
    return ranking.read(lock.cached(commit, ranked)).queries


def check_same_images(a: str, b: str) -> None:
    """Refuse to compare features from elsewhere on other images; numbers of queries may agree.

    Two runs are compared as they ever were: by their queries.

    Raises:
        UserError: they are on other images, or nothing says on which a run was evaluated.
    """
    if not any(name.rpartition(":")[2].startswith(PREFIX) for name in (a, b)):
        return
    (split, told), (other, told_other) = _split(a), _split(b)
    if split != other:
        raise UserError(
            "two results on different images cannot be compared",
            expected=f"those of {a}: {told}",
            found=f"those of {b}: {told_other}",
            fix="reidpipe evaluate FEATURES --data DATASET judges features on the runs' split",
        )


def _foreign(name: str, file: str) -> tuple[bytes, str]:
    """A file of `foreign/NAME` or `REVISION:foreign/NAME`, and what messages call it."""
    revision, named, run = name.rpartition(":")
    commit = git.resolve(revision) if named else ""
    there = git.names(commit, results.FOLDER.as_posix()) if named else []
    known = [Path(path).name for path in there] if named else results.known()
    path = results.FOLDER / results.known_result(run.removeprefix(PREFIX), known) / file
    if named:
        return git.show(commit, path.as_posix()), f"{revision}:{path.as_posix()}"
    return path.read_bytes(), str(path)


def _split(name: str) -> tuple[str, str]:
    """MD5 of the images that `name` was judged on, and words for them."""
    revision, named, run = name.rpartition(":")
    if run.startswith(PREFIX):
        about = results.parse_about(*_foreign(name, ABOUT))
        return about.split, str(about)
    deps = (
        lock.stages(git.resolve(revision) if named else "")
        .get(f"extract@{run}", {})
        .get("deps", [])
    )
    found = {dep["path"]: dep.get("md5", "") for dep in deps if "data/splits/" in dep["path"]}
    for path, md5 in found.items():
        return md5, f"{Path(path).stem}, {md5[:8]}"
    raise UserError("the lock does not say on which images a run was evaluated", where=name)
