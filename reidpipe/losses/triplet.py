"""Batch-hard triplet loss: In Defense of the Triplet Loss, Hermans et al., 1703.07737.

    L = mean over anchors a of [m + max_p D(a, p) - min_n D(a, n)]+     (5), `margin: 0.3`
    L = mean over anchors a of log(1 + exp(max_p D - min_n D))          section 2, `margin: soft`

D is the Euclidean distance of un-normalised features; p runs over the other images of a's identity
in the batch, n over the images of all other identities.

Deviations. The paper sums, its code and everyone since average. FastReID mines on the same
distances but has its soft margin for `margin <= 0`; here it has a name.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from reidpipe.errors import UserError
from reidpipe.runtime.settings import PositiveFloat


def hardest(feature: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Distances to the farthest positive and the nearest negative of each row, both [B].

    Args and errors are those of `mined`.
    """
    farthest, nearest = mined(feature, labels)
    return _distance(feature, farthest), _distance(feature, nearest)


def mined(feature: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of the farthest positive and the nearest negative of each row, both int64 [B].

    Args:
        feature: [B, D], float32 or float64.
        labels: [B].

    Raises:
        UserError: a row has no positive besides itself, or no negative.
    """
    same = labels[:, None] == labels[None, :]
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    if not (positive.any(1) & ~same.all(1)).all():
        raise UserError(
            "the triplet loss has no triplet for some image of the batch",
            where="params.yaml: train.identities, train.images",
            expected="at least 2 identities with at least 2 images each in a batch",
            found=f"labels {labels.tolist()}",
        )
    return _mine(feature.detach(), positive, ~same)


def batch_hard(
    feature: Tensor, labels: Tensor, *, margin: PositiveFloat | Literal["soft"] = 0.3
) -> Tensor:
    """Mean loss over the rows of feature [B, D], a scalar."""
    d_ap, d_an = hardest(feature, labels)
    if margin == "soft":
        return F.softplus(d_ap - d_an).mean()
    return (margin + d_ap - d_an).relu().mean()


def in_order(feature: Tensor, labels: Tensor) -> Tensor:
    """Which rows have their farthest positive nearer than their nearest negative, bool [B]."""
    d_ap, d_an = hardest(feature.detach(), labels)
    return d_ap < d_an


def _mine(feature: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of the hardest positive and negative of each anchor."""
    # Distances by products of matrices lose the small ones to cancellation.
    distmat = torch.cdist(feature, feature, compute_mode="donot_use_mm_for_euclid_dist")
    farthest = distmat.masked_fill(~positive, -torch.inf).argmax(1)
    nearest = distmat.masked_fill(~negative, torch.inf).argmin(1)
    return farthest, nearest


def _distance(feature: Tensor, other: Tensor) -> Tensor:
    # vector_norm has the gradient 0 at 0, where a square root has none: equal images are harmless.
    distance: Tensor = torch.linalg.vector_norm(feature - feature[other], dim=1)
    return distance
