"""Circle Loss: A Unified Perspective of Pair Similarity Optimization, Sun et al., 2002.10857.

With class-level labels: the cosine c_j between the embedding and the weight vector of class j is
the similarity; y is the true class, s the scale, m the margin.

    unified, equations 1 and 3:  z_y = s (c_y - m),                  z_j = s c_j
    circle, equations 4 to 8:    z_y = s alpha_p (c_y - (1 - m)),    z_j = s alpha_n (c_j - m)
                                 alpha_p = [1 + m - c_y]+,           alpha_n = [c_j + m]+

Softmax cross-entropy of z is log(1 + sum_j exp(z_j - z_y)), which is the loss of the paper with one
positive. The alphas carry no gradient, which is what makes the gradients those of equation 10.

Deviations. None: FastReID's circle head computes the same, and its scale 64 and margin 0.35 are our
defaults.
"""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from reidpipe.runtime.settings import Fraction, PositiveFloat


def circle_logits(
    cosine: Tensor, labels: Tensor, *, scale: PositiveFloat = 64.0, margin: Fraction = 0.35
) -> Tensor:
    """Self-paced weights and margins: cosine [B, C] and labels [B] -> logits [B, C]."""
    true_class = F.one_hot(labels, cosine.shape[1]).bool()
    alpha_p = (1 + margin - cosine).relu().detach()
    alpha_n = (cosine + margin).relu().detach()
    positive = alpha_p * (cosine - (1 - margin))
    negative = alpha_n * (cosine - margin)
    return scale * torch.where(true_class, positive, negative)


def unified_logits(
    cosine: Tensor, labels: Tensor, *, scale: PositiveFloat = 64.0, margin: Fraction = 0.35
) -> Tensor:
    """Additive margin: cosine [B, C] and labels [B] -> logits [B, C]."""
    true_class = F.one_hot(labels, cosine.shape[1]).bool()
    return scale * torch.where(true_class, cosine - margin, cosine)
