"""Auto-ReID: the published cell, its layout, its loss, and runs that take the cell of a file."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from reidpipe.errors import UserError
from reidpipe.formats import cells
from reidpipe.losses.triplet import batch_hard
from reidpipe.systems import trained
from reidpipe.systems.autoreid import PUBLISHED, Network, plan
from reidpipe.systems.autoreid import recipe as of_paper
from reidpipe.training.run import train
from tests.systems.small import SIZES, images, labels, network, recipe
from tests.training.process import MACHINE

OTHER = {kind: [[["skip", 0], ["max", 1]]] * 4 for kind in cells.KINDS}


def test_the_table_of_shapes() -> None:
    with torch.device("meta"), torch.no_grad():
        model = Network(3).eval()
        assert model.backbone(torch.zeros(1, 3, 384, 128)).shape == (1, 2048, 12, 4)
        small = Network(3, channels=16, depths=(1, 1, 1, 1)).eval()
        assert small.backbone(torch.zeros(1, 3, 96, 32)).shape == (1, 512, 3, 1)


def test_the_first_cell_of_all_stages_but_the_first_halves() -> None:
    found = plan(64, (3, 4, 6, 3))
    assert len(found) == 16
    assert [number for number, cell in enumerate(found) if cell[2]] == [3, 7, 13]
    assert [number for number, cell in enumerate(found) if cell[3]] == [4, 8, 14]
    assert [cell[1] for cell in found] == [64] * 3 + [128] * 4 + [256] * 6 + [512] * 3
    assert found[0][0] == (64, 64)
    assert found[1][0] == (64, 256)
    assert found[4][0] == (256, 512)
    assert [before for before, *_ in plan(8, (1, 1, 1, 1))] == [
        (8, 8),
        (8, 32),
        (32, 64),
        (64, 128),
    ]


def test_the_published_cell_is_that_of_its_authors() -> None:
    """Operations and states of the row that was searched for with the retrieval loss."""
    normal = "sep 0, skip 1; dil 2, dil 0; dil 3, sep 2; dil 4, dil 3"
    reduce = "max 0, part 1; sep 0, dil 2; dil 2, max 0; dil 4, dil 3"
    for kind, row in (("normal", normal), ("reduce", reduce)):
        found = [[f"{name[:4]} {state}" for name, state in node] for node in PUBLISHED[kind]]
        expected = row.replace("sep", "sepa").replace("dil", "dila").replace("max", "max")
        assert "; ".join(", ".join(node) for node in found) == expected
    assert Network(2, channels=4).arguments["cell"] == PUBLISHED


def test_the_loss_is_weighted() -> None:
    model = network("autoreid", weight=0.25)
    out = model(images("autoreid"))
    terms = model.losses(out, labels())
    torch.testing.assert_close(terms["ce"], 0.25 * F.cross_entropy(out["scores"], labels()))
    torch.testing.assert_close(terms["triplet"], 0.75 * batch_hard(out["feature"], labels()))


def test_an_embedding_is_what_is_searched_with() -> None:
    model = network("autoreid", embedding=7).eval()
    with torch.no_grad():
        assert model.embed(images("autoreid")).shape == (8, 7)


@pytest.mark.parametrize("cell", [{"normal": []}, {**PUBLISHED, "reduce": [[["conv", 0]]]}])
def test_a_cell_that_is_none_is_refused(cell: Mapping[str, object]) -> None:
    with pytest.raises(UserError, match="not the cell of a network"):
        Network(2, cell=dict(cell))


def test_a_run_takes_the_cell_that_it_starts_from(
    tiny_set: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    archive, manifest = tiny_set
    cells.write(tmp_path / "cell.json", OTHER)  # type: ignore[arg-type]
    train(
        "tiny",
        "autoreid",
        {**SIZES["autoreid"].network, "cell": None},
        recipe("autoreid"),
        0,
        machine=MACHINE,
        archive=archive,
        manifest=manifest,
        start=tmp_path / "cell.json",
        model_file=tmp_path / "model",
        history_file=tmp_path / "history.csv",
        code="tests",
    )
    model = trained.load(tmp_path / "model").model
    assert json.loads(json.dumps(model.arguments["cell"])) == OTHER
    assert not any("separable" in name or "vectors" in name for name, _ in model.named_modules())


def test_the_recipe() -> None:
    found = of_paper()
    (phase,) = found.phases
    assert (found.image_size, found.batches.size) == ((384, 128), 64)
    assert (phase.optimiser, phase.epochs) == ("adam", 240)
