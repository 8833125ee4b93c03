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
from reidpipe.plan.code import Code
from reidpipe.runtime.settings import OURS, Cluster, Section, follows, keywords, metric

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
    runs = {name: _run(name, run, params) for name, run in listed.runs.items()}
    weights = {role: _weights(role, params) for role in listed.weights}
    starts = {runs_file.weights_file(role): found for role, found in weights.items()}
    starts |= {runs_file.model_file(name): run for name, run in runs.items()}
    for name, run in runs.items():
        _check_start(name, run, starts[run["start"]])
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
                    "pretrained": _pretrained(run, starts),
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


def _check_start(name: str, run: Entry, start: Entry) -> None:
    """Refuse first weights of another network, which the training would find out after hours."""
    if before := follows(run["system"]):
        _check_followed(name, run, start, before)
    elif "network" in start and _trunk(run) != _trunk(start):
        raise UserError(
            f"the run {name!r} starts from weights of another network",
            where=f"{RUNS_FILE}: runs.{name}.start: {run['start']}",
            expected=f"those of {_trunk(run)}",
            found=f"those of {_trunk(start)}",
            fix=f"{PARAMS_FILE}: systems and weights of the profile",
        )


def _check_followed(name: str, run: Entry, start: Entry, before: str) -> None:
    """A system that goes on where another ended takes all of its network."""

    def sizes(entry: Entry) -> dict[str, Any]:
        network = entry.get("network", {})
        numbers = {key: value for key, value in network.items() if type(value) is int}
        trunk = {"backbone": network.get("backbone")}
        found = {"system": entry.get("system"), "dataset": entry.get("dataset"), **trunk, **numbers}
        return {key: value for key, value in found.items() if value is not None}

    def shown(values: Entry) -> str:
        return ", ".join(f"{key}: {value}" for key, value in values.items())

    found = sizes(start)
    expected = {**sizes(run), "system": before}
    if expected != {key: found.get(key) for key in expected}:
        raise UserError(
            f"the run {name!r} goes on where a run of {before} has ended",
            where=f"{RUNS_FILE}: runs.{name}.start: {run['start']}",
            expected=f"the model of a run with {shown(expected)}",
            found=shown(found),
            fix=f"{RUNS_FILE}, and {PARAMS_FILE}: systems of the profile",
        )


def _pretrained(run: Entry, starts: Mapping[str, Entry]) -> bool:
    """Whether the first of the networks that it comes from had other than random weights."""
    while "start" in run:
        run = starts[run["start"]]
    return bool(run["source"]["source"] != RANDOM)


def _trunk(entry: Entry) -> str:
    """What of a network's arguments decides the shapes of its trunk."""
    network = entry["network"]
    return network.get("backbone") or f"{entry['system']} x{network['multiplier']:g}"


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
