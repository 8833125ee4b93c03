"""ONNX: what agreement means, what is refused, and the real thing where the extra is installed."""

import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands import export as exporting
from reidpipe.commands.export import Agreement, agreement
from reidpipe.errors import UserError
from reidpipe.extraction.embeddings import extract
from reidpipe.formats import features, weights
from reidpipe.formats.params import load
from reidpipe.runtime.settings import attentions, systems
from tests.systems.small import network, recipe
from tests.trained import photograph, trained

ROOT = Path(__file__).parents[2]
RUN = "market1501-baseline"
MODEL, OUT = Path(f"runs/{RUN}/model.safetensors"), Path("out/model.onnx")
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
            lines.append(f"{number}.png,{number},1,{subset},-1")
    FILES[1].write_text("\n".join(lines) + "\n")
    trained(MODEL)
    extracted()


PARAMS = load(ROOT / "params.yaml", profile="embedded").active.extract


def extracted(**options: object) -> None:
    """What the extract stage writes."""
    extract(MODEL, *FILES, PARAMS.model_copy(update=options), FEATURES)


def exported(**options: object) -> Agreement:
    params = PARAMS.model_copy(update=options)
    given = {"features": FEATURES, "params": params, "metric": "cosine"}
    return exporting.export(MODEL, *FILES, **given, out=OUT)  # type: ignore[arg-type]


def embeddings() -> Tensor:
    return torch.randn(40, 16, generator=torch.Generator().manual_seed(0))


def test_equal_embeddings_agree_and_so_do_those_that_differ_by_rounding() -> None:
    exact = agreement(embeddings(), embeddings(), 8)
    assert (exact.embedding, exact.ranking, exact.same) == (0, 0, 8)
    rounded = agreement(embeddings(), embeddings().bfloat16().float(), 8)
    assert not rounded.fine()
    assert agreement(embeddings(), embeddings() * (1 + 1e-6), 8).fine()


def test_images_as_near_as_rounding_may_change_places() -> None:
    ours = embeddings()
    ours[20] = ours[21] * (1 + 1e-7)
    theirs = ours.clone()
    theirs[[20, 21]] = ours[[21, 20]]
    assert agreement(ours, theirs, 8).fine()


def test_one_image_out_of_its_place_is_no_agreement() -> None:
    theirs = embeddings()
    theirs[[20, 30]] = theirs[[30, 20]]
    found = agreement(embeddings(), theirs, 8)
    assert found.ranking > exporting.RANKING_TOLERANCE["fp32"]
    assert found.same < 8
    assert not found.fine()


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
    for name in exporting.LIBRARIES:
        pytest.importorskip(name, reason="the extra onnx is not installed")


@pytest.mark.usefixtures("extra")
def test_what_disagrees_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = torch.randn(IMAGES, 512, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(exporting, "_embedded", lambda *_: wrong)
    with pytest.raises(UserError, match="other embeddings than the extract stage"):
        exported()
    assert list(OUT.parent.iterdir()) == []


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
    assert exported(**options).fine(PARAMS.model_copy(update=options).precision)


@pytest.mark.slow
@pytest.mark.usefixtures("extra")
def test_the_flip_is_that_of_the_features_whatever_the_parameters_say_now() -> None:
    extracted(flip=True)
    assert exported(flip=False).fine()


@pytest.mark.slow
@pytest.mark.usefixtures("extra")
@pytest.mark.parametrize("spoil", ["model", "split"])
def test_features_of_something_else_are_refused(spoil: str) -> None:
    if spoil == "model":
        trained(MODEL, "se")
    else:
        FILES[1].write_text(FILES[1].read_text().replace("5.png,5,", "5.png,6,"))
    with pytest.raises(UserError, match=r"other embeddings|of another split"):
        exported()
    assert not OUT.exists()


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


@pytest.mark.parametrize("target", ["", "runs", f"{'a' * 250}.onnx", "params.yaml/a.onnx"])
def test_a_target_is_checked_before_the_work(target: str) -> None:
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
