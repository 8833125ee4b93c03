"""Embeddings of the query and gallery images of one data set by one trained model."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reidpipe import checkpoint
from reidpipe.data import records
from reidpipe.data.images import Images
from reidpipe.data.transforms import normalise
from reidpipe.models.reid import ReID, on_device
from reidpipe.models.trained import load
from reidpipe.params import ExtractParams
from reidpipe.runtime import machine, ranks
from reidpipe.runtime.progress import progress

SUBSETS = {"query": 0, "gallery": 1}
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def extract(
    model_file: Path, archive: Path, manifest: Path, params: ExtractParams, out: Path
) -> None:
    """Write embedding float32 [N, D], pid and camid int64 [N], subset uint8 [N].

    Rows are the manifest's query (subset 0) and gallery (1) rows, in its order; embeddings are not
    normalised.
    """
    device = machine.prepare(params.device, params.threads, params.instructions)
    device = ranks.launch(device, params.devices, params.nodes)
    trained = load(model_file)
    model = on_device(trained.model, device)
    rows = records.read(manifest).query("subset != 'train'")
    # Nothing is kept: every image is looked at once.
    images = Images(archive, rows["member"].tolist(), trained.image_size, cache_mb=0)
    tensors = {
        "embedding": embed(model, images, params, device, label=trained.run),
        "pid": torch.tensor(rows["pid"].to_numpy()),
        "camid": torch.tensor(rows["camid"].to_numpy()),
        "subset": torch.tensor(rows["subset"].map(SUBSETS).to_numpy(), dtype=torch.uint8),
    }
    if ranks.rank() == 0:
        checkpoint.save(out, tensors, {"run": trained.run, "flip": params.flip})


@torch.inference_mode()
def embed(
    model: ReID, images: Images, params: ExtractParams, device: torch.device, *, label: str
) -> Tensor:
    """Embeddings float32 [N, D] on the CPU; with `flip`, the mean with the mirrored image's."""
    half = AUTOCAST.get(params.precision)
    embeddings = torch.zeros(len(images), model.backbone.channels, device=device)
    starts = range(0, len(images), params.batch_size)
    with (
        torch.autocast(device.type, dtype=half, enabled=half is not None),
        progress(f"extract {label}", len(images), quiet=ranks.rank() > 0) as show,
    ):
        # Whole batches are shared out: an embedding may differ in its last bit with its batch.
        for start in starts[ranks.rank() :: ranks.world()]:
            indices = np.arange(start, min(start + params.batch_size, len(images)))
            batch = normalise(images.take(indices).to(device))
            batch = batch.contiguous(memory_format=torch.channels_last)
            embedding = model.embed(batch).float()
            if params.flip:
                embedding = (embedding + model.embed(batch.flip(3)).float()) / 2
            embeddings[indices] = embedding
            show(int(indices[-1]) + 1)
    return ranks.add_up(embeddings).cpu()
