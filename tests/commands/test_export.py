"""Exports: what agreement means, what is refused, and each form run by the program it is for."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands import export as exporting
from reidpipe.commands.export import TARGETS, Source, to_onnx
from reidpipe.commands.export.agreement import RANKING_TOLERANCE, Agreement, agreement, mean_ap
from reidpipe.commands.export.embedder import INPUTS, Embedder, Input, given
from reidpipe.commands.export.form import Form, Target
from reidpipe.commands.export.running import example, in_batches
from reidpipe.commands.export.sample import OTHERS, sample
from reidpipe.errors import UserError
from reidpipe.extraction.embeddings import extract
from reidpipe.formats import features, weights
from reidpipe.formats.features import Features
from reidpipe.formats.params import load
from reidpipe.images.transforms import MEAN, STD
from reidpipe.runtime.settings import attentions, systems
from tests.systems.small import network, recipe
from tests.trained import photograph, trained

ROOT = Path(__file__).parents[2]
RUN = "market1501-baseline"
MODEL, OUT = Path(f"runs/{RUN}/model.safetensors"), Path("out/model.onnx")
FILES_OF = {"onnx": OUT, "openvino": OUT.with_suffix(".xml"), "pt2": OUT.with_suffix(".pt2")}
FEATURES = Path(f"runs/{RUN}/features.safetensors")
FILES = Path("data/raw/market1501.zip"), Path("data/splits/market1501.csv")
QUERIES, IMAGES = 3, 9


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "runs.yaml"):
        Path(name).symlink_to(ROOT / name)
    for path in FILES:
        path.parent.mkdir(parents=True)
    lines = ["member,pid,camid,subset,label", "learnt.png,77,1,train,0"]
    with zipfile.ZipFile(FILES[0], "w") as zipped:
        for number in range(IMAGES):
            zipped.writestr(f"{number}.png", photograph(number))
            subset = "query" if number < QUERIES else "gallery"
            lines.append(f"{number}.png,{number % 4},{number % 3},{subset},-1")
    FILES[1].write_text("\n".join(lines) + "\n")
    trained(MODEL)
    extracted()


PARAMS = load(ROOT / "params.yaml", profile="embedded").active.extract


def extracted(**options: object) -> None:
    """What the extract stage writes."""
    extract(MODEL, *FILES, PARAMS.model_copy(update=options), FEATURES)


def exported(
    target: Target = "onnx", *, options: dict[str, object] | None = None, **form: Any
) -> Agreement:
    params = PARAMS.model_copy(update=options)
    source = Source(MODEL, *FILES, features=FEATURES, threshold=0.25)
    out = FILES_OF[target]
    return exporting.export(source, out, Form(target, **form), params=params, metric="cosine")


def embeddings() -> Tensor:
    return torch.randn(40, 16, generator=torch.Generator().manual_seed(0))


def compared(ours: Tensor, theirs: Tensor) -> Agreement:
    """Eight queries of 40 images; each person is once among them, and four times in the gallery."""
    pid, camid = torch.arange(40) % 8, torch.arange(40) // 8
    return agreement(Features(ours, pid, camid, 8), theirs)


def test_equal_embeddings_agree_and_so_do_those_that_differ_by_rounding() -> None:
    exact = compared(embeddings(), embeddings())
    assert (exact.embedding, exact.ranking, exact.same) == (0, 0, 8)
    rounded = compared(embeddings(), embeddings().bfloat16().float())
    assert not rounded.fine()
    assert compared(embeddings(), embeddings() * (1 + 1e-6)).fine()


def test_images_as_near_as_rounding_may_change_places() -> None:
    ours = embeddings()
    ours[20] = ours[21] * (1 + 1e-7)
    theirs = ours.clone()
    theirs[[20, 21]] = ours[[21, 20]]
    assert compared(ours, theirs).fine()


def test_one_image_out_of_its_place_is_no_agreement() -> None:
    theirs = embeddings()
    theirs[[20, 30]] = theirs[[30, 20]]
    found = compared(embeddings(), theirs)
    assert found.ranking > RANKING_TOLERANCE["fp32"]
    assert found.same < 8
    assert not found.fine()


def test_what_costs_map_is_no_rounding() -> None:
    near = compared(embeddings(), embeddings())
    assert replace(near, mean_ap=(50.0, 49.6), embedding=5e-3, ranking=4e-3).fine("half")
    assert not replace(near, mean_ap=(50.0, 49.6), embedding=5e-3, ranking=4e-3).fine("fp16")
    assert not replace(near, mean_ap=(50.0, 49.4)).fine("half")
    assert replace(near, mean_ap=(50.0, 51.0)).fine("half")


def test_a_missing_extra_is_named_and_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == "onnx" else name)
    with pytest.raises(UserError, match=r"not installed(.|\n)*no onnx\n(.|\n)*\.\[onnx\]"):
        exported()
    assert not OUT.exists()


def test_a_run_that_runs_yaml_does_not_have_is_named() -> None:
    trained(Path("runs/mine/model.safetensors"))
    result = CliRunner().invoke(app, ["export", "mine", str(OUT)])
    assert isinstance(result.exception, UserError)
    assert "there is no run 'mine'" in str(result.exception)


@pytest.fixture
def extra() -> None:
    for name in to_onnx.LIBRARIES:
        pytest.importorskip(name, reason="the extra onnx is not installed")


@pytest.mark.usefixtures("extra")
def test_what_disagrees_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = torch.randn(IMAGES, 512, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(to_onnx, "run", lambda *_: wrong)
    with pytest.raises(UserError, match="other embeddings than the extract stage"):
        exported()
    assert not OUT.parent.exists()


@pytest.mark.usefixtures("extra")
def test_the_command_writes_a_model_that_embeds_any_number_of_images() -> None:
    import onnxruntime  # noqa: PLC0415

    result = CliRunner().invoke(app, ["export", RUN, str(OUT)], catch_exceptions=False)
    assert result.exit_code == 0
    assert (
        f"{QUERIES} of {QUERIES} lists of {IMAGES - QUERIES} images are the same" in result.stdout
    )
    session = onnxruntime.InferenceSession(OUT, providers=["CPUExecutionProvider"])
    for count in (1, 5):
        images = torch.zeros(count, 3, 32, 16, dtype=torch.uint8).numpy()
        assert session.run(None, {"images": images})[0].shape == (count, 512)
    assert str(ROOT).encode() not in OUT.read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("extra")
@pytest.mark.parametrize("options", [{"flip": True}, {"precision": "bf16"}])
def test_it_gives_what_was_extracted(options: dict[str, object]) -> None:
    extracted(**options)
    assert exported(options=options).fine(PARAMS.model_copy(update=options).precision)


@pytest.mark.slow
@pytest.mark.usefixtures("extra")
def test_the_flip_is_that_of_the_features_whatever_the_parameters_say_now() -> None:
    extracted(flip=True)
    assert exported(options={"flip": False}).fine()


@pytest.mark.slow
@pytest.mark.usefixtures("extra")
@pytest.mark.parametrize("spoil", ["model", "split"])
def test_features_of_something_else_are_refused(spoil: str) -> None:
    if spoil == "model":
        trained(MODEL, "se")
    else:
        FILES[1].write_text(FILES[1].read_text().replace("5.png,1,", "5.png,2,"))
    with pytest.raises(UserError, match=r"other embeddings|of another split"):
        exported()
    assert not OUT.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("extra")
def test_the_example_of_the_docs_runs(capsys: pytest.CaptureFixture[str]) -> None:
    extracted(flip=True)
    CliRunner().invoke(app, ["export", RUN, "ours.onnx"], catch_exceptions=False)
    for name, number in (("a.jpg", 3), ("b.jpg", 4)):
        Path(name).write_bytes(photograph(number))
    text = (ROOT / "docs/onnx.md").read_text()
    code = text.partition("```python\n")[2].partition("```")[0]
    capsys.readouterr()
    exec(compile(code, "docs/onnx.md", "exec"), {})  # noqa: S102
    shown = float(capsys.readouterr().out)
    rows = features.read(FEATURES).embedding
    unit = torch.nn.functional.normalize(rows)
    assert shown == pytest.approx(float(1 - unit[3] @ unit[4]), abs=1e-5)


@pytest.mark.parametrize("target", ["d.onnx", f"{'a' * 250}.onnx", "params.yaml/a.onnx"])
def test_a_target_is_checked_before_the_work(target: str) -> None:
    Path("d.onnx").mkdir()
    result = CliRunner().invoke(app, ["export", RUN, target])
    assert isinstance(result.exception, OSError)
    assert result.exception.filename


@pytest.mark.usefixtures("extra")
@pytest.mark.slow
@pytest.mark.parametrize("system", sorted(set(systems()) - {"ours"}))
def test_every_system_can_be_exported(system: str) -> None:
    """Nine images: a batch size that was written into the model would show."""
    model = network(system)
    about = {**model.about(), "image_size": recipe(system).image_size, "run": RUN}
    weights.save(MODEL, model.state_dict(), about)
    extracted()
    assert exported().fine()


@pytest.mark.usefixtures("extra")
@pytest.mark.slow
@pytest.mark.parametrize("attention", attentions())
def test_every_attention_can_be_exported(attention: str) -> None:
    trained(MODEL, attention)
    extracted()
    assert exported().fine()


def test_the_map_is_that_of_the_protocol() -> None:
    """Three queries of two people: lists of matches at 1 and 3, at 2, and none."""
    distance = torch.tensor([[0.1, 0.2, 0.3, 0.0], [0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]])
    pid = torch.tensor([1, 2, 3, 1, 2, 1, 1])
    camid = torch.tensor([1, 1, 1, 2, 2, 2, 1])  # the last is junk to the first query
    found = mean_ap(distance, Features(torch.zeros(7, 1), pid, camid, 3))
    assert found == pytest.approx(100 * ((1 + 2 / 3) / 2 + 1 / 2) / 2)
    assert mean_ap(distance[2:], Features(torch.zeros(5, 1), pid[2:], camid[2:], 1)) is None


def test_of_a_large_set_queries_keep_all_their_matches() -> None:
    people, rows = 300, 3000
    subset = ["query"] * 500 + ["gallery"] * (rows - 500)
    table = pd.DataFrame({"pid": np.arange(rows) % people, "subset": subset})
    places = sample(table)
    assert places == sorted(set(places))
    chosen = table.iloc[places]
    asked = chosen[chosen["subset"] == "query"]["pid"]
    gallery = chosen[chosen["subset"] == "gallery"]["pid"]
    matches = table[500:]["pid"].isin(asked)
    assert gallery.isin(asked).sum() == matches.sum()
    assert (~gallery.isin(asked)).sum() == OTHERS
    assert sample(table[:100]) == list(range(100))


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("kind", INPUTS)
def test_what_is_exported_is_the_embedding_by_its_definition(
    kind: Input, flip: bool, unit: bool
) -> None:
    """The mean over an image and its mirror image; pixels normalised by ImageNet's numbers."""
    model = network("ours").eval()
    images = torch.randint(256, (4, 3, 32, 16), generator=torch.Generator().manual_seed(2))
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    pixels = (images / 255 - mean) / deviation
    shown = {"uint8": images.byte(), "pixels": images.float(), "float": pixels}[kind]
    with torch.no_grad():
        found = Embedder(model, kind, flip=flip, unit=unit)(shown)
        expected = model.embed(pixels)
        if flip:
            expected = (expected + model.embed(pixels[..., range(15, -1, -1)])) / 2
    if unit:
        expected = expected / expected.square().sum(1, keepdim=True).sqrt()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    torch.testing.assert_close(given(images.byte(), kind).float(), shown.float())


@pytest.mark.parametrize(("batch", "expected"), [(0, [0, 1]), (2, [0, 1]), (5, [0, 1, 2, 0, 1])])
def test_a_graph_is_traced_with_as_many_images_as_it_will_take(
    batch: int, expected: list[int]
) -> None:
    """Also where there are fewer: a batch of 5 must not become one of 3."""
    assert example(torch.arange(3), batch).tolist() == expected


@pytest.mark.parametrize(("batch", "calls"), [(0, [64, 6]), (8, [8] * 9)])
def test_batches_are_as_large_as_they_are_asked_for(batch: int, calls: list[int]) -> None:
    images, seen = torch.arange(70.0)[:, None], []

    def call(part: Tensor) -> Tensor:
        seen.append(len(part))
        return part * 2

    assert torch.equal(in_batches(call, images, batch), images * 2)
    assert seen == calls


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "form",
    [
        {},
        {"input": "float", "unit": True},
        {"input": "pixels", "batch": 2},
        {"half": True},
    ],
    ids=str,
)
def test_every_form_gives_what_was_extracted(target: Target, form: dict[str, Any]) -> None:
    for library in TARGETS[target].LIBRARIES:
        pytest.importorskip(library, reason="an extra is not installed")
    found = exported(target, **form)
    assert found.fine("half" if form.get("half") else "fp32")
    assert found.mean_ap is not None
    assert found.mean_ap[0] == pytest.approx(found.mean_ap[1], abs=1.0)
    assert form.get("half") or found.same == QUERIES
    out = FILES_OF[target]
    beside = json.loads(out.with_name(out.name + ".json").read_text())
    height, width = 32, 16
    assert beside["image_size"] == [height, width]
    size = form.get("batch") or "batch"
    assert beside["input"]["shape"] == [size, 3, height, width]
    assert beside["output"] == {
        "name": "embedding",
        "type": "float32",
        "shape": [size, 512],
        "unit": bool(form.get("unit")),
    }
    assert beside["threshold"] == {"distance": 0.25, "false_positive_rate": 1e-3}
    assert beside["compared"]["same_lists"] == found.same
    inside = {name: value for name, value in beside.items() if name != "compared"}
    assert metadata(target, out) == inside
    for path in OUT.parent.iterdir():
        assert not any(word in content(path) for word in (str(ROOT).encode(), b"/tmp/"))


def metadata(target: Target, path: Path) -> dict[str, Any]:
    """As its runtime reads it."""
    if target == "onnx":
        import onnxruntime  # noqa: PLC0415

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        text = session.get_modelmeta().custom_metadata_map["reidpipe"]
    elif target == "openvino":
        import openvino  # noqa: PLC0415

        text = openvino.Core().read_model(path).get_rt_info(["reidpipe"]).astype(str)
    else:
        extra = {"reidpipe.json": ""}
        torch.export.load(path, extra_files=extra)
        text = extra["reidpipe.json"]
    found: dict[str, Any] = json.loads(text)
    return found


def content(path: Path) -> bytes:
    """Of a zip what is packed in it."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as zipped:
        return b"".join(zipped.read(name) for name in zipped.namelist())


@pytest.mark.usefixtures("extra")
def test_a_norm_of_one_is_refused_where_distances_are_euclidean() -> None:
    source = Source(MODEL, *FILES, features=FEATURES)
    form = Form("onnx", unit=True)
    with pytest.raises(UserError, match=r"(?s)Euclidean.*without --unit"):
        exporting.export(source, OUT, form, params=PARAMS, metric="euclidean")


@pytest.mark.slow
@pytest.mark.usefixtures("extra")
def test_a_model_file_is_compared_with_torch_itself() -> None:
    MODEL.rename("mine.safetensors")
    words = ["export", "mine.safetensors", str(OUT), "--data", "market1501"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert f"{QUERIES} of {QUERIES} lists" in result.stdout
    assert json.loads(OUT.with_name(OUT.name + ".json").read_text())["threshold"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["m.onnx", "--for", "tensorrt"], "tensorrt: one of onnx, openvino, pt2"),
        (["m.onnx", "--for", "pt2"], "does not end in .pt2"),
        (["m.bin"], "ends in none of"),
        (["m.onnx", "--input", "int8"], "int8: one of uint8, pixels, float"),
        (["m.onnx", "--data", "market"], "there is no data set 'market'"),
    ],
)
def test_other_words_are_refused(words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["export", RUN, *words])
    text = " ".join((result.output + str(result.exception)).replace("│", " ").split())
    assert said in text
    assert result.exit_code


def test_a_model_file_needs_a_data_set() -> None:
    result = CliRunner().invoke(app, ["export", "mine.safetensors", "m.onnx"])
    assert "--data DATASET" in str(result.exception)
