"""The nearest images by FAISS, which looks at the most promising lists of an index alone.

FAISS is an extra of this package and is imported here alone. Its IVF-Flat is used (Douze et al.,
The Faiss library, 2401.08281): k-means puts like embeddings into lists, and of these the ones are
searched whose centres are nearest to the query. Lists are plain tensors of our own index file, so
nothing of FAISS's format is read.
"""

from dataclasses import replace
from math import log2, sqrt
from typing import Any

import torch
from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.formats.index import Index, Lists
from reidpipe.metrics.distance import prepare_
from reidpipe.runtime.settings import Metric

MIN_IMAGES = 10_000
"""Of fewer, the exact search takes no longer."""
SHARE = 5
"""One list in so many is searched."""
_TURNS, _PER_LIST = 10, 40
"""Of k-means, and how many images of a list it looks at, by chance."""
_AT_ONCE = 1 << 14


def faiss() -> Any:
    """The library, on as many threads as torch has.

    Raises:
        UserError: it is not installed.
    """
    try:
        import faiss as found  # noqa: PLC0415
    except ImportError:
        raise UserError(
            "FAISS is not installed",
            where="--approximate",
            expected="the extra index",
            fix="pip install 'reidpipe[index]', or search without --approximate: exactly",
        ) from None
    found.omp_set_num_threads(torch.get_num_threads())
    return found


def number_of_lists(images: int) -> int:
    """A power of two up to 4 sqrt(N), so that it stays while a gallery grows a little."""
    return 1 << int(log2(max(1.0, min(images, 4 * sqrt(images)))))


def grouped(index: Index, metric: Metric) -> Index:
    """`index` with every image in a list; lists are made where there are none that fit."""
    lists = index.lists
    if lists is None or (len(lists.centre), lists.metric) != (number_of_lists(len(index)), metric):
        lists = Lists(_centres(index, metric), torch.full((len(index),), -1), metric)
    missing = (lists.of < 0).nonzero()[:, 0]
    if not len(missing):
        return index
    of = lists.of.clone()
    for first in range(0, len(missing), _AT_ONCE):
        rows = missing[first : first + _AT_ONCE]
        own = prepare_(index.embedding[rows], metric, "gallery")
        of[rows] = torch.from_numpy(_quantiser(lists.centre).search(own.numpy(), 1)[1][:, 0])
    return replace(index, lists=replace(lists, of=of))


def nearest(query: Tensor, gallery: Tensor, lists: Lists, top: int) -> Tensor:
    """Rows of `gallery` (N x D) among which are most of the `top` nearest to `query` (1 x D).

    Both are as the metric of `lists` compares them, `lists.of` is of the gallery's images; those in
    list -1 are left out. Returns int64 [at most `top`], nearest first: on vectors of length 1
    Euclidean distances have the order of cosine distances.
    """
    found = searcher(gallery, lists).search(query.numpy(), min(top, len(gallery)))[1][0]
    rows = torch.from_numpy(found)
    return rows[rows >= 0]


def searcher(gallery: Tensor, lists: Lists) -> Any:
    """FAISS's IndexIVFFlat of the images: it copies them, list by list."""
    index = faiss().IndexIVFFlat(
        _quantiser(lists.centre), gallery.shape[1], len(lists.centre), faiss().METRIC_L2
    )
    index.is_trained = True
    index.nprobe = -(-len(lists.centre) // SHARE)
    pointer, of = faiss().swig_ptr, lists.of.contiguous().numpy()
    # Its own `add` would look for every image's list again.
    index.add_core(len(gallery), pointer(gallery.numpy()), None, pointer(of))
    return index


def _centres(index: Index, metric: Metric) -> Tensor:
    """Of lists [L, D], by k-means over images that are drawn from a fixed seed."""
    count = number_of_lists(len(index))
    source = torch.Generator().manual_seed(0)
    drawn = torch.randperm(len(index), generator=source)[: count * _PER_LIST]
    sample = prepare_(index.embedding[drawn], metric, "gallery")
    means = faiss().Kmeans(sample.shape[1], count, niter=_TURNS, seed=0, min_points_per_centroid=1)
    means.train(sample.numpy())
    return torch.from_numpy(means.centroids)


def _quantiser(centre: Tensor) -> Any:
    found = faiss().IndexFlatL2(centre.shape[1])
    found.add(centre.numpy())
    return found
