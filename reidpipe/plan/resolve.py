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
from reidpipe.formats.settings.training import (
    RandomWeights,
    SyntheticWeights,
)
from reidpipe.plan import starts
from reidpipe.plan.code import Code
from reidpipe.plan.starts import AACN
from reidpipe.runtime.settings import OURS, Cluster, Section, keywords, metric

Entry = Mapping[str, Any]
PIPELINE = Path("dvc.yaml")
POSE_TRUNK = "resnet"
"""The role of the trunk beside AACN's pose branch."""


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


def plan(
    root: Path = Path(), *, profile: str | None = None, params_path: Path | None = None
) -> dict[str, Entry]:
    """By stage and item, what decides its result.

    With `profile` in place of the file's, or with the parameters of another file.

    Raises:
        UserError: params.yaml, runs.yaml or the code is wrong.
    """
    pipeline = _pipeline(root / PIPELINE)
    params = params_file.load(params_path or root / PARAMS_FILE, profile=profile)
    listed = runs_file.load(root / RUNS_FILE)
    code, active = Code(root), params.active
    sources = {name: params.source(name) for name in listed.datasets}
    runs = {name: _run(name, run, params) for name, run in listed.runs.items()}
    weights = {role: _weights(role, params) for role in listed.weights}
    known = {runs_file.weights_file(role): found for role, found in weights.items()}
    known |= {runs_file.model_file(name): run for name, run in runs.items()}
    cells = {name: _cell(params) for name in listed.cells}
    known |= {runs_file.cell_file(name): {"cell": name} for name in cells}
    pose = _pose(params)
    known[runs_file.POSE_FILE] = {**_trunk_of_pose(weights), "pose": pose["network"]}
    for name, run in runs.items():
        starts.check(name, run, known[run["start"]])
    trainings = {name: _training(name, run, params) for name, run in listed.runs.items()}
    parts = {name: _parts_of(run) for name, run in runs.items()}

    def of(stage: str, *more: str) -> str:
        return code.digest(f"stages/{stage}.py", *more)

    extract = active.extract.model_dump(mode="json")
    return {
        "download": {
            name: {**_download(name, source, root), "code": of("download")}
            for name, source in sources.items()
        },
        "weights": {
            role: {**found, "code": of("weights", *_parts_of(found))}
            for role, found in weights.items()
        },
        "split": {
            name: {**_split(source, params), "code": of("split")}
            for name, source in sources.items()
        },
        "pose": {**pose, "code": of("pose")},
        "cell": {name: {**found, "code": of("cell")} for name, found in cells.items()},
        "train": {
            name: {
                **run,
                **trainings[name],
                "seed": params.seed,
                "code": of("train", *parts[name]),
            }
            for name, run in runs.items()
        },
        "extract": {
            name: {
                "dataset": run["dataset"],
                "params": extract,
                "code": of("extract", *parts[name]),
            }
            for name, run in runs.items()
        },
        "evaluate": {
            name: {
                "params": active.evaluate.of(metric(run["system"])).model_dump(mode="json"),
                "code": of("evaluate"),
            }
            for name, run in runs.items()
        },
        "report": {
            "params": _without_the_other_profile(params),
            "runs": {
                name: {
                    **run,
                    "options": listed.runs[name].options,
                    "image_size": trainings[name]["recipe"]["image_size"],
                    "pretrained": starts.pretrained(run, known),
                }
                for name, run in runs.items()
            },
            "artifacts": _artifacts(pipeline, runs),
            "libraries": code.libraries,
            "code": of("report", *sorted({file for own in parts.values() for file in own})),
        },
        # Changes no result: no stage depends on it.
        "loading": active.loading.model_dump(mode="json"),
    }


def _run(name: str, run: Run, params: Params) -> Entry:
    """Data set, start and network of a run; what runs.yaml does not say is Ours' own."""
    if run.system == OURS:
        attention, classifier = (
            run.attention or params.attention,
            run.classifier or params.classifier,
        )
        triplet = params.triplet if run.triplet is None else run.triplet
        network = params.active.network(attention, classifier, triplet=triplet)
    else:
        network = params.active.options(run.system)
    # Of Ours' options not all are a run's: those of the attention that it has not are left out.
    kind = keywords(f"systems/{run.system}.py", "Network")
    own = _changed(kind, {}, run.options, f"{RUNS_FILE}: runs.{name}.options")
    network = {**network, **{key: own[key] for key in run.options}}
    return {"dataset": run.dataset, "start": run.start, "system": run.system, "network": network}


def _parts_of(entry: Entry) -> tuple[str, ...]:
    """Files that the network of an entry is made of and that no import names."""
    if "system" not in entry:
        return ()
    attention = entry["network"].get("attention")
    files = (f"reidpipe/systems/{entry['system']}.py",)
    return (*files, f"reidpipe/attention/{attention}.py") if attention else files


def _training(name: str, run: Run, params: Params) -> Entry:
    """Recipe and machine of the profile with what the run has otherwise."""
    kind = keywords(f"systems/{run.system}.py", "recipe", Cluster)
    profile = {**params.active.machine.model_dump(), **params.active.recipe(run.system)}
    own = _changed(kind, profile, run.train, f"{RUNS_FILE}: runs.{name}.train")
    return _split_recipe(own)


def _split_recipe(options: Entry) -> dict[str, Entry]:
    machine = {name: options[name] for name in Cluster.model_fields}
    recipe = {name: value for name, value in options.items() if name not in machine}
    return {"recipe": recipe, "machine": machine}


def _changed(kind: type[Section], options: Entry, changes: Entry, where: str) -> Entry:
    """Options of `kind` with others in their place.

    Raises:
        UserError: a change is none of `kind`, or has a wrong value.
    """
    try:
        found = kind.model_validate({**options, **changes})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        unknown = key if first["type"] == "extra_forbidden" and len(first["loc"]) == 1 else ""
        raise UserError(
            f"{key}: unknown key" if unknown else "a parameter is wrong",
            where=f"{where}.{key}",
            expected=f"one of {', '.join(kind.model_fields)}" if unknown else first["msg"],
            found=repr(first["input"]),
            fix=nearest(unknown, kind.model_fields) if unknown else "",
        ) from None
    return found.model_dump(mode="json")


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
    if role == RANDOM:
        return {"source": {"source": RANDOM}}
    active = params.active
    if role not in active.weights:
        raise UserError(
            f"the profile {params.profile} does not say what the first weights {role!r} are",
            where=f"{PARAMS_FILE}: {params.profile}.weights",
            expected=", ".join([RANDOM, *active.weights]),
            found=f"{RUNS_FILE}: weights: {role}",
            fix=nearest(role, active.weights),
        )
    source = active.weights[role]
    found: dict[str, Any] = {"source": source.model_dump(mode="json", exclude={"train"})}
    if isinstance(source, RandomWeights):
        return found
    system = source.system
    found |= {"system": system, "network": _plain(system, params)}
    if isinstance(source, SyntheticWeights):
        kind = keywords(f"systems/{system}.py", "recipe", Cluster)
        profile = {**active.machine.model_dump(), **active.recipe(system), "devices": 1, "nodes": 1}
        where = f"{PARAMS_FILE}: {params.profile}.weights.{role}.train"
        found |= _split_recipe(_changed(kind, profile, source.train, where))
    return {**found, "instructions": active.machine.instructions}


def _plain(system: str, params: Params) -> Entry:
    """The network whose trunk is what others start from."""
    if system == OURS:
        return params.active.network("none", "linear", triplet=True)
    return params.active.options(system)


def _cell(params: Params) -> Entry:
    """How a cell is found; of the published one no option says anything."""
    active = params.active
    options = dict(active.cell)
    if options["epochs"] == 0:
        return {"search": {"epochs": 0}}
    return {"search": options, "seed": params.seed, "machine": _one_device(params)}


def _pose(params: Params) -> Entry:
    """How AACN's pose branch is trained."""
    active = params.active
    network = active.options(AACN)
    return {
        "network": {name: network[name] for name in ("backbone", "pose_width")},
        "image_size": list(active.recipe(AACN)["image_size"]),
        "training": dict(active.pose),
        "machine": _one_device(params),
    }


def _trunk_of_pose(weights: Mapping[str, Entry]) -> Entry:
    if POSE_TRUNK not in weights:
        raise UserError(
            "the pose branch has no trunk to start from",
            where=f"{RUNS_FILE}: weights",
            expected=POSE_TRUNK,
            found=", ".join(weights),
            fix=f"add it; {PIPELINE} names it for the stage pose",
        )
    return weights[POSE_TRUNK]


def _one_device(params: Params) -> Entry:
    """The machine of what is trained beside the runs; without fp16, which needs a scaler."""
    found = params.active.machine.model_dump(mode="json")
    precision = "fp32" if found["precision"] == "fp16" else found["precision"]
    return {**found, "devices": 1, "nodes": 1, "precision": precision}


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
                expected=" or ".join(map(runs_file.model_file, runs)),
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
