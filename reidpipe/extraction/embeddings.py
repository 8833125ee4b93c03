"""Embeddings of the query and gallery images of one data set by one trained model."""

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from reidpipe.formats import features
from reidpipe.formats import manifest as manifest_file
from reidpipe.formats.features import Features
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.images.images import Images
from reidpipe.images.loading import ahead
from reidpipe.images.transforms import normalise
from reidpipe.runtime import machine, ranks
from reidpipe.runtime.progress import progress
from reidpipe.systems import System
from reidpipe.systems.trained import load

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
    """Write the features of the manifest's query rows, then of its gallery rows, in its order."""
    device = machine.prepare(params.device, params.threads, params.instructions)
    device = ranks.launch(device, params.devices, params.nodes)
    trained = load(model_file)
    model = machine.on_device(trained.model, device)
    rows = manifest_file.read(manifest).query("subset != 'train'")
    # Nothing is kept: every image is looked at once.
    images = Images(archive, rows["member"].tolist(), trained.image_size, cache_mb=0)
    embedding = embed(model, images, params, device, label=trained.run, workers=workers)
    if ranks.rank() == 0:
        pid, camid = (torch.tensor(rows[name].to_numpy()) for name in ("pid", "camid"))
        queries = int((rows["subset"] == "query").sum())
        found = Features(embedding, pid, camid, queries, flip=params.flip)
        features.write(out, found, trained.run)


class _Batches(Dataset[Tensor]):
    """The images uint8 [B, 3, H, W] from the one asked for on."""

    def __init__(self, images: Images, size: int) -> None:
        self.images, self.size = images, size

    def __getitem__(self, first: int) -> Tensor:
        return self.images.take(range(first, min(first + self.size, len(self.images))))


@torch.inference_mode()
def embed(
    model: System,
    images: Images,
    params: ExtractParams,
    device: torch.device,
    *,
    label: str,
    workers: int = 0,
) -> Tensor:
    """Embeddings float32 [N, D] on the CPU; with `flip`, the mean with the mirrored image's."""
    embeddings = torch.zeros(len(images), model.width, device=device)
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
