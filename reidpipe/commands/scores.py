"""What each query of a run scored, here or in another revision."""

from pathlib import Path

from reidpipe.formats import lock, queries, ranking, runs
from reidpipe.formats.queries import Queries
from reidpipe.formats.runs import known_run
from reidpipe.runtime import git


def scores(name: str) -> Queries:
    """Those of `RUN` in the workspace, or of `REVISION:RUN`; an experiment is a revision.

    They are in git; of commits from before they were, the ranking may still be in the cache.

    Raises:
        UserError: neither is there, or there is no such run.
    """
    revision, named, run = name.rpartition(":")
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
