"""One training run: from a data set's zip and manifest to a model and its history."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from reidpipe import systems
from reidpipe.files import write_csv
from reidpipe.formats import cells, weights
from reidpipe.formats import manifest as manifest_file
from reidpipe.formats.settings.training import Recipe
from reidpipe.images.images import Images
from reidpipe.layers.initial import initialise, torch_stream
from reidpipe.runtime import ranks
from reidpipe.runtime.machine import prepare
from reidpipe.runtime.settings import Cluster, Loading
from reidpipe.systems import System
from reidpipe.training.batches import TrainingSet
from reidpipe.training.loop import fit
from reidpipe.training.resume import State, key

ONE_PROCESS = Loading()


def train(
    run: str,
    system: str,
    network: Mapping[str, Any],
    recipe: Recipe,
    seed: int,
    *,
    machine: Cluster,
    archive: Path,
    manifest: Path,
    start: Path | None,
    model_file: Path,
    history_file: Path,
    code: str,
    loading: Loading = ONE_PROCESS,
) -> None:
    """Train a network on the train rows of `manifest`, and write the model and its history.

    Killed at any time and called again, it goes on where it was and ends with the same bytes.

    Args:
        run: its name.
        system: a file name of reidpipe/systems.
        network: keyword arguments of its network.
        recipe: how it is trained.
        seed: of weights, batches, augmentation and dropout.
        machine: where.
        archive: the packed data set.
        manifest: its table.
        start: file of the first weights, which without one, or with an empty one, are random; or
            of the network's cell.
        model_file: to write.
        history_file: to write.
        code: digest of the code that trains.
        loading: how images are read, which changes no result.
    """
    device = prepare(machine.device, machine.threads, machine.instructions)
    device = ranks.launch(device, machine.devices, machine.nodes)
    how = {"recipe": recipe.model_dump(mode="json"), "machine": machine.model_dump(mode="json")}
    config = {"run": run, "system": system, "network": network, **how}
    inputs = [archive, manifest, *([start] if start else [])]
    state_key = key({**config, "seed": seed, "code": code}, inputs)
    with State(state_key, writes=ranks.rank() == 0) as state:
        data = training_set(archive, manifest, recipe, seed, loading)
        own, tensors = beginning(start)
        model = new_model(system, {**network, **own}, data.num_classes, seed)
        if tensors:
            model.start_from(tensors)
        history = fit(
            model,
            data,
            recipe=recipe,
            seed=seed,
            device=device,
            precision=machine.precision,
            state=state,
            label=run,
        )
        if ranks.rank() > 0:
            return
        about = {**model.about(), "image_size": recipe.image_size, "run": run}
        weights.save(model_file, model.state_dict(), about)
        # A resumed row comes from JSON with sorted keys: the columns have an order of their own.
        terms = sorted(history[0].keys() - {"epoch", "lr", "loss", "accuracy"})
        columns = ["epoch", "lr", "loss", *terms, "accuracy"]
        rows: list[list[object]] = [[row[name] for name in columns] for row in history]
        if len(recipe.phases) > 1:
            columns.append("phase")
            names = [phase.name for phase in recipe.phases for _ in range(phase.epochs)]
            rows = [[*row, name] for row, name in zip(rows, names, strict=True)]
        write_csv(history_file, columns, rows)
        state.remove()


def beginning(start: Path | None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a run starts from: arguments of its network that no parameter has, and weights."""
    if start is None:
        return {}, {}
    if start.suffix == ".json":
        return {"cell": cells.read(start)}, {}
    return {}, weights.load(start)[0]


def training_set(
    archive: Path, manifest: Path, recipe: Recipe, seed: int, loading: Loading = ONE_PROCESS
) -> TrainingSet:
    """The train rows of the manifest, their images decoded at the size of the recipe."""
    rows = manifest_file.read(manifest).query("subset == 'train'")
    images = Images(archive, rows["member"].tolist(), recipe.image_size, loading.cache_mb)
    return TrainingSet(images, rows["label"].to_numpy(), recipe, seed, loading.workers)


def new_model(system: str, network: Mapping[str, Any], num_classes: int, seed: int) -> System:
    """The network with its random weights, which follow from the seed alone."""
    model = systems.network(system)(num_classes, **network)
    initialise(model, torch_stream(seed, "weights"))
    return model
