"""One training run: from a data set's zip and manifest to a model and its history."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reidpipe import checkpoint
from reidpipe.data import records
from reidpipe.data.images import Images
from reidpipe.files import write_csv
from reidpipe.models.initial import initialise, torch_stream
from reidpipe.models.reid import ReID, load_backbone
from reidpipe.params import LoadingParams, TrainParams
from reidpipe.runtime import machine, ranks
from reidpipe.training.batches import TrainingSet
from reidpipe.training.loop import fit
from reidpipe.training.resume import State, key

LOSSES = ("loss", "ce", "triplet")
ONE_PROCESS = LoadingParams()
COLUMNS = ("epoch", "lr", *LOSSES, "accuracy", "hardest_positive", "hardest_negative")


@dataclass(frozen=True)
class Run:
    """What distinguishes one run of dvc.yaml from another."""

    name: str
    attention: str
    classifier: str
    triplet: bool


def train(
    run: Run,
    params: TrainParams,
    seed: int,
    *,
    archive: Path,
    manifest: Path,
    weights: Path | None,
    model_file: Path,
    history_file: Path,
    loading: LoadingParams = ONE_PROCESS,
) -> None:
    """Train `run` on the train rows of `manifest`; start from `weights` (a backbone) or at random.

    Writes the model and its history. Killed at any time and called again, it goes on where it was
    and ends with the same bytes.
    """
    device = machine.prepare(params.device, params.threads, params.instructions)
    device = ranks.launch(device, params.devices, params.nodes)
    config = {"run": asdict(run), "params": params.model_dump(mode="json"), "seed": seed}
    inputs = [archive, manifest, *([weights] if weights else [])]
    with State(key(config, inputs), writes=ranks.rank() == 0) as state:
        data = training_set(archive, manifest, params, seed, loading)
        model = new_model(run, params, data.num_classes, seed)
        if weights:
            load_backbone(model, checkpoint.load(weights)[0])
        settings: dict[str, Any] = {"params": params, "triplet": run.triplet, "device": device}
        history = fit(model, data, **settings, state=state, label=run.name)
        if ranks.rank() > 0:
            return
        about = {**model.about(), "image_size": params.image_size, "run": run.name}
        checkpoint.save(model_file, model.state_dict(), about)
        # A resumed row comes from JSON with sorted keys: the columns have an order of their own.
        columns = [name for name in COLUMNS if name in history[0]]
        write_csv(history_file, columns, [[row[name] for name in columns] for row in history])
        state.remove()


def training_set(
    archive: Path,
    manifest: Path,
    params: TrainParams,
    seed: int,
    loading: LoadingParams = ONE_PROCESS,
) -> TrainingSet:
    """The train rows of the manifest, their images decoded at the size of the parameters."""
    rows = records.read(manifest).query("subset == 'train'")
    images = Images(archive, rows["member"].tolist(), params.image_size, loading.cache_mb)
    return TrainingSet(images, rows["label"].to_numpy(), params, seed, loading.workers)


def new_model(run: Run, params: TrainParams, num_classes: int, seed: int) -> ReID:
    """The network of `run` with its random weights, which follow from the seed alone."""
    model = ReID(
        backbone=params.backbone,
        attention=run.attention,
        attention_options=params.attention.options(run.attention),
        classifier=run.classifier,
        circle=params.circle,
        num_classes=num_classes,
    )
    initialise(model, torch_stream(seed, "weights"))
    return model
