"""Lists of FAISS: nearly the exact answer on many images, exactly that on few."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands import search as search_module
from reidpipe.commands.search import approximate
from reidpipe.commands.search.approximate import grouped, number_of_lists
from reidpipe.commands.search.distances import distances
from reidpipe.commands.search.gallery import Gallery
from reidpipe.errors import UserError
from reidpipe.formats import index as index_file
from reidpipe.formats.index import Index
from reidpipe.runtime.settings import Metric
from tests.commands.searches import NAMES, found, furnish
from tests.trained import photograph

IMAGES, WIDTH, TOP = 6000, 32, 10
RECALL = 0.9
"""What docs/decisions.md claims."""


def people(count: int, seed: int) -> Tensor:
    """Embeddings [N, D] of images of 500 people: a person's place, and as much again by chance."""
    person = torch.randn(500, WIDTH, generator=torch.Generator().manual_seed(0))
    source = torch.Generator().manual_seed(seed)
    chance = torch.randn(count, WIDTH, generator=source)
    return person[torch.randint(500, (count,), generator=source)] + 0.7 * chance


def index_of(embedding: Tensor) -> Index:
    nothing = index_file.empty(WIDTH, {})
    count = len(embedding)
    return nothing.plus(
        replace(
            nothing,
            names=[f"{number:05}" for number in range(count)],
            embedding=embedding,
            content=torch.zeros(count, 32, dtype=torch.uint8),
            stamp=torch.zeros(count, 3, dtype=torch.int64),
            squeezed=torch.zeros(count, dtype=torch.bool),
        )
    )


def gallery_of(index: Index) -> Gallery:
    return Gallery(index.names, index.embedding.clone(), (), 0, lists=index.lists)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_nearly_all_of_the_nearest_are_found(metric: Metric) -> None:
    index = grouped(index_of(people(IMAGES, 1)), metric)
    hits, queries = 0, people(30, 2)
    for query in queries:
        exact = distances(query[None].clone(), gallery_of(index), metric)
        fast = distances(query[None].clone(), gallery_of(index), metric, TOP)
        seen = fast.isfinite()
        assert int(seen.sum()) == TOP
        torch.testing.assert_close(fast[seen], exact[seen])
        hits += int(seen[exact.argsort()[:TOP]].sum())
    assert hits / (TOP * len(queries)) >= RECALL


def test_what_is_in_no_list_is_not_among_them() -> None:
    index = grouped(index_of(people(IMAGES, 1)), "cosine")
    query = index.embedding[5][None]
    assert distances(query.clone(), gallery_of(index), "cosine", TOP)[5].isfinite()
    assert index.lists
    index.lists.of[5] = -1
    without = distances(query.clone(), gallery_of(index), "cosine", TOP)
    assert int(without.isfinite().sum()) == TOP
    assert without[5].isinf()


def test_lists_stay_and_new_images_come_into_the_nearest() -> None:
    before = grouped(index_of(people(IMAGES, 1)), "euclidean")
    assert before.lists
    assert grouped(before, "euclidean") is before
    more = before.plus(index_of(people(50, 3)))
    after = grouped(more, "euclidean")
    assert after.lists
    assert torch.equal(after.lists.centre, before.lists.centre)
    assert torch.equal(after.lists.of[:IMAGES], before.lists.of)
    gaps = torch.cdist(after.embedding[IMAGES:], after.lists.centre)
    assert torch.equal(after.lists.of[IMAGES:], gaps.argmin(1))
    fewer = after.take(range(100), after.names[:100])
    assert fewer.lists
    again = grouped(fewer, "euclidean").lists
    assert again
    assert len(again.centre) == number_of_lists(100)
    cosine = grouped(before, "cosine").lists
    assert cosine
    assert not torch.equal(cosine.centre, before.lists.centre)


def test_the_number_of_lists_grows_as_the_root() -> None:
    assert [number_of_lists(count) for count in (0, 1, 7, 10**4, 10**6)] == [1, 1, 4, 256, 2048]


def test_a_search_uses_them_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(tmp_path, monkeypatch)
    exact = found()
    few = found(index="a.index", approximate=True)
    assert few == exact
    assert not few.approximate
    arguments = ["search", "mine", "gallery", "who.png", "--index", "a.index", "--approximate"]
    assert "searched exactly" in CliRunner().invoke(app, arguments).stdout
    monkeypatch.setattr(approximate, "MIN_IMAGES", 2)
    monkeypatch.setattr(approximate, "SHARE", 1)
    Path("gallery/bad.png").write_bytes(photograph(0)[:99])
    many = found(index="a.index", approximate=True, top=3)
    assert many.approximate
    assert many.matches == exact.matches[:3]
    lists = index_file.read(Path("a.index")).lists
    assert lists
    assert len(lists.of) == len(NAMES)
    result = CliRunner().invoke(app, [*arguments, "--csv"], catch_exceptions=False)
    assert "approximate" in result.stderr
    alone = CliRunner().invoke(app, [*arguments[:4], "--approximate"])
    assert alone.exit_code == 2
    assert "needs --index" in alone.output


def test_without_faiss_the_fix_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gallery").mkdir()
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setattr(search_module, "load", lambda *_: pytest.fail("it worked already"))
    with pytest.raises(UserError, match="FAISS is not installed") as caught:
        found(index="a.index", approximate=True)
    assert "pip install 'reidpipe[index]'" in caught.value.details["fix"]
