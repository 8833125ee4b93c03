"""AlignedReID: Surpassing Human-Level Performance, Zhang et al., https://arxiv.org/abs/1711.08184.

Two images are H stripes f_1 .. f_H and g_1 .. g_H from the top, whose heights may differ. With

    d_ij = (e^x - 1) / (e^x + 1) = tanh(x / 2),  x = |f_i - g_j|                          (1)
    S_11 = d_11,  S_ij = d_ij + min(S_(i-1)j, S_i(j-1))                                   (2)

the local distance is S_HH: the cheapest path from the top to the bottom of both, each step one
stripe down in one of them. That of an image to itself is not 0: the path must leave the diagonal.

Deviations. None: the hyperbolic tangent is the same number without an overflow.
"""

import torch
from torch import Tensor


def local_distance(first: Tensor, second: Tensor) -> Tensor:
    """S_HH of each pair: stripes [B, H, D] and [B, H, D] -> [B]."""
    # vector_norm has the gradient 0 at 0, where a square root has none.
    x = torch.linalg.vector_norm(first[:, :, None] - second[:, None], dim=3)
    element = (x / 2).tanh()
    rows, columns = element.shape[1:]
    best: dict[tuple[int, int], Tensor] = {}
    for i in range(rows):
        for j in range(columns):
            before = [best[place] for place in ((i - 1, j), (i, j - 1)) if place in best]
            cheapest = before[0] if len(before) == 1 else torch.minimum(*before) if before else 0
            best[i, j] = element[:, i, j] + cheapest
    return best[rows - 1, columns - 1]
