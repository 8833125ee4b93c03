"""Fill in what each stage and run is made with, and write it to plan.json."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reidpipe.datasets.sources import watching
from reidpipe.errors import UserError, nearest
from reidpipe.files import write_json
from reidpipe.formats import params as params_file
from reidpipe.formats import plan as plan_file
from reidpipe.formats import runs as runs_file
from reidpipe.formats import yaml
from reidpipe.formats.params import PARAMS_FILE, Params
from reidpipe.formats.plan import PLAN_FILE
from reidpipe.formats.runs import RANDOM, RUNS_FILE, Run
from reidpipe.formats.settings.data import ArchiveSource, Source
from reidpipe.formats.settings.training import Recipe, SyntheticWeights
from reidpipe.plan.code import Code

Entry = Mapping[str, Any]
PIPELINE = Path("dvc.yaml")


def resolve(root: Path = Path()) -> None:
    """Write the plan of the repository `root`.

    Raises:
        UserError: params.yaml, runs.yaml or the code is wrong. params.yaml is touched then: DVC
            writes it and git's index within one second, so that git would take a refused value of
            the old one's length for the old one, and `git restore` would do nothing.
    """
    try:
        write_json(root / PLAN_FILE, plan(root))
    except UserError:
        if (root / PARAMS_FILE).is_file():
            (root / PARAMS_FILE).touch()
        raise


def plan(root: Path = Path(), *, profile: str | None = None) -> dict[str, Entry]:
    """By stage and item, what decides its result; with `profile` in place of the file's.

    Raises:
        UserError: params.yaml, runs.yaml or the code is wrong.
    """
    pipeline = _pipeline(root / PIPELINE)
    params = params_file.load(root / PARAMS_FILE, profile=profile)
    listed = runs_file.load(root / RUNS_FILE)
    code, active = Code(root), params.active
    sources = {name: params.source(name) for name in listed.datasets}
    runs = {name: _run(run, params) for name, run in listed.runs.items()}
    networks = {
        name: f"reidpipe/attention/{run['network']['attention']}.py" for name, run in runs.items()
    }

    def of(stage: str, *more: str) -> str:
        return code.digest(f"stages/{stage}.py", *more)

    extract, evaluate = (
        active.extract.model_dump(mode="json"),
        active.evaluate.model_dump(mode="json"),
    )
    return {
        "download": {
            name: {**_download(name, source, root), "code": of("download")}
            for name, source in sources.items()
        },
        "weights": {
            role: {**_weights(role, params), "code": of("weights")} for role in listed.weights
        },
        "split": {
            name: {**_split(source, params), "code": of("split")}
            for name, source in sources.items()
        },
        "train": {
            name: {
                **run,
                "recipe": _recipe(name, listed.runs[name], params),
                "seed": params.seed,
                "code": of("train", networks[name]),
            }
            for name, run in runs.items()
        },
        "extract": {
            name: {
                "dataset": run["dataset"],
                "params": extract,
                "code": of("extract", networks[name]),
            }
            for name, run in runs.items()
        },
        "evaluate": {name: {"params": evaluate, "code": of("evaluate")} for name in runs},
        "report": {
            "params": _without_the_other_profile(params),
            "runs": runs,
            "artifacts": _artifacts(pipeline, runs),
            "libraries": code.libraries,
            "code": of("report"),
        },
        # Changes no result: no stage depends on it.
        "loading": active.loading.model_dump(mode="json"),
    }


def _run(run: Run, params: Params) -> Entry:
    """Data set, start and network of a run; what runs.yaml does not say is Ours' own."""
    attention, classifier = run.attention or params.attention, run.classifier or params.classifier
    triplet = params.triplet if run.triplet is None else run.triplet
    network = params.active.network(attention, classifier, triplet=triplet)
    return {"dataset": run.dataset, "start": run.start, "network": network}


def _recipe(name: str, run: Run, params: Params) -> Entry:
    """The section `train` of the profile with what the run has otherwise."""
    try:
        own = Recipe.model_validate({**params.active.train.model_dump(), **run.train})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(
            f"a parameter of the run {name!r} is wrong",
            where=f"{RUNS_FILE}: runs.{name}.train.{key}",
            expected=first["msg"],
            found=repr(first["input"]),
            fix=nearest(key, Recipe.model_fields) if first["type"] == "extra_forbidden" else "",
        ) from None
    return own.model_dump(mode="json")


def _download(name: str, source: Source, root: Path) -> Entry:
    """Where a data set comes from; without a checksum also what it holds.

    Where the archive is not on this machine, it is taken to be the one of the plan before.
    """
    found = {"source": source.model_dump(mode="json")}
    if not isinstance(source, ArchiveSource) or source.md5 or source.sha256:
        return found
    before = plan_file.written(root / PLAN_FILE) if (root / PLAN_FILE).exists() else {}
    known = before.get("download", {}).get(name, {})
    same = known.get("source") == found["source"]
    content = watching.content(source, root) or (known.get("content", "") if same else "")
    return {**found, "content": content} if content else found


def _weights(role: str, params: Params) -> Entry:
    """How the first weights of a role are made."""
    train, source = params.active.train, params.active.weights
    if role == RANDOM:
        return {"source": {"source": RANDOM}}
    plain = params.active.network("none", "linear", triplet=True)
    found = {"source": source.model_dump(mode="json"), "network": plain}
    if isinstance(source, SyntheticWeights):
        own = train.model_copy(update={**source.schedule.model_dump(), "devices": 1, "nodes": 1})
        found["recipe"] = own.model_dump(mode="json")
    return {**found, "instructions": train.instructions}


def _split(source: Source, params: Params) -> Entry:
    """Only synthetic sets are measured by their colours: the benchmarks are known to be a task."""
    found = {"layout": source.layout, "use_val": False, "counts": None, "machine": None}
    if isinstance(source, ArchiveSource):
        counts = source.counts.model_dump() if source.counts else None
        return {**found, "use_val": source.use_val, "counts": counts}
    # Histograms are ranked as the evaluate stage ranks embeddings.
    machine = params.active.evaluate.model_dump(include={"threads", "instructions"})
    return {**found, "machine": machine}


def _without_the_other_profile(params: Params) -> Entry:
    """What the gate tolerates decides no number either."""
    others = {"check", "embedded", "paper"} - {params.profile}
    return params.model_dump(mode="json", exclude=others)


def _artifacts(pipeline: Mapping[str, Any], runs: Collection[str]) -> Entry:
    """The run of each model that dvc.yaml offers, by its name there."""
    found = {
        name: Path(own["path"]).parent.name
        for name, own in (pipeline.get("artifacts") or {}).items()
    }
    for name, run in found.items():
        if run not in runs:
            raise UserError(
                f"the artifact {name!r} is of no run",
                where=f"{PIPELINE}: artifacts.{name}.path",
                expected=" or ".join(f"runs/{run}/model.safetensors" for run in runs),
                found=pipeline["artifacts"][name]["path"],
            )
    return found


def _pipeline(path: Path) -> Mapping[str, Any]:
    """The content of dvc.yaml, unless it is one of those that held the runs."""
    content: Mapping[str, Any] = yaml.read(path, "the stages")
    runs = content["stages"].get("train", {}).get("foreach")
    if isinstance(runs, dict):
        raise UserError(
            "the runs stand in dvc.yaml, where nothing reads them any more",
            where=f"{path}: stages.train.foreach",
            expected=f"a line per run in {RUNS_FILE}",
            found=", ".join(runs),
            fix=f"take {path} from the new version; own lines go to {RUNS_FILE}, without `model:` "
            "and its braces, with start: data/weights/random.safetensors or resnet.safetensors",
        )
    return content
