"""From the photographs of one person to the images of a gallery."""

import torch
from torch import Tensor

from reidpipe.commands.search.approximate import nearest
from reidpipe.commands.search.gallery import Gallery
from reidpipe.metrics.distance import blocks, prepare_
from reidpipe.runtime.settings import Metric


@torch.inference_mode()
def distances(query: Tensor, gallery: Gallery, metric: Metric, top: int | None = None) -> Tensor:
    """From the query's photographs to each image, float32 [G]; infinity where that is not known.

    It is the mean over the photographs, Q x D. For cosine that is the distance to the mean of their
    unit embeddings, for Euclidean the squared distance to the mean embedding and a number that is
    the same for each image: both rank as the mean embedding does, the field's multiple query.
    With `top`, that many images are looked at.
    """
    prepare_(query, metric, "query")
    images = prepare_(gallery.embedding, metric, "gallery")
    found = torch.full((len(images),), torch.inf)
    if top is None or gallery.lists is None:
        found[:] = _means(query, images, metric)
    else:
        rows = nearest(query.mean(0, keepdim=True), images, gallery.lists, top)
        found[rows] = _means(query, images[rows], metric)
    found[list(gallery.unreadable)] = torch.inf
    return found


def _means(query: Tensor, gallery: Tensor, metric: Metric) -> Tensor:
    total = gallery.new_zeros(len(gallery))
    for _, block in blocks(query, gallery, metric):
        total += block.sum(dim=0)
    return total / len(query)
