"""Embeddings of the query and gallery images of one data set by one trained model."""

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from reidpipe import checkpoint
from reidpipe.data import records
from reidpipe.data.images import Images
from reidpipe.data.loading import ahead
from reidpipe.data.transforms import normalise
from reidpipe.models.reid import ReID, on_device
from reidpipe.models.trained import load
from reidpipe.params import ExtractParams
from reidpipe.runtime import machine, ranks
from reidpipe.runtime.progress import progress

SUBSETS = {"query": 0, "gallery": 1}
MEMORY_FIX = "lower extract.batch_size, or choose extract.precision=bf16"


def extract(
    model_file: Path,
    archive: Path,
    manifest: Path,
    params: ExtractParams,
    out: Path,
    *,
    workers: int = 0,
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
        "embedding": embed(model, images, params, device, label=trained.run, workers=workers),
        "pid": torch.tensor(rows["pid"].to_numpy()),
        "camid": torch.tensor(rows["camid"].to_numpy()),
        "subset": torch.tensor(rows["subset"].map(SUBSETS).to_numpy(), dtype=torch.uint8),
    }
    if ranks.rank() == 0:
        checkpoint.save(out, tensors, {"run": trained.run, "flip": params.flip})


class _Batches(Dataset[Tensor]):
    """The images uint8 [B, 3, H, W] from the one asked for on."""

    def __init__(self, images: Images, size: int) -> None:
        self.images, self.size = images, size

    def __getitem__(self, first: int) -> Tensor:
        return self.images.take(range(first, min(first + self.size, len(self.images))))


@torch.inference_mode()
def embed(
    model: ReID,
    images: Images,
    params: ExtractParams,
    device: torch.device,
    *,
    label: str,
    workers: int = 0,
) -> Tensor:
    """Embeddings float32 [N, D] on the CPU; with `flip`, the mean with the mirrored image's."""
    embeddings = torch.zeros(len(images), model.backbone.channels, device=device)
    # Whole batches are shared out: an embedding may differ in its last bit with its batch.
    firsts = range(0, len(images), params.batch_size)[ranks.rank() :: ranks.world()]
    data = _Batches(images, params.batch_size)
    height, width = images.size
    work = f"{params.batch_size} images of {height}x{width}, {params.precision}"
    with (
        machine.memory_explained(device, work, MEMORY_FIX),
        machine.autocast(device, params.precision),
        ahead(data, firsts, workers=workers, device=device) as batches,
        progress(f"extract {label}", len(images), quiet=ranks.rank() > 0) as show,
    ):
        for first, pixels in zip(firsts, batches, strict=True):
            batch = normalise(pixels.to(device, non_blocking=True))
            batch = batch.contiguous(memory_format=torch.channels_last)
            embedding = model.embed(batch).float()
            if params.flip:
                embedding = (embedding + model.embed(batch.flip(3)).float()) / 2
            embeddings[first : first + len(batch)] = embedding
            show(first + len(batch))
    return ranks.add_up(embeddings).cpu()
