"""Classifiers over the BN neck: linear, circle, unified. Logits go to softmax cross-entropy.

Circle Loss: A Unified Perspective of Pair Similarity Optimization, Sun et al.,
https://arxiv.org/abs/2002.10857, with class-level labels: the cosine c_j between the embedding and
the weight vector of class j is the similarity; y is the true class, s the scale, m the margin.

    unified, equations 1 and 3:  z_y = s (c_y - m),                  z_j = s c_j
    circle, equations 4 to 8:    z_y = s alpha_p (c_y - (1 - m)),    z_j = s alpha_n (c_j - m)
                                 alpha_p = [1 + m - c_y]+,           alpha_n = [c_j + m]+

Cross-entropy of z is log(1 + sum_j exp(z_j - z_y)), which is the loss of the paper with one
positive. The alphas carry no gradient, which is what makes the gradients those of equation 10.

Deviations. None: FastReID's circle head computes the same, and its scale 64 and margin 0.35 are our
defaults. Both logits are computed in float32 or more, also under autocast.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.models.initial import fan_in_uniform
from reidpipe.params import CircleParams


def unified_logits(cosine: Tensor, labels: Tensor, *, scale: float, margin: float) -> Tensor:
    """Additive margin: cosine [B, C] and labels [B] -> logits [B, C]."""
    true_class = F.one_hot(labels, cosine.shape[1]).bool()
    return scale * torch.where(true_class, cosine - margin, cosine)


def circle_logits(cosine: Tensor, labels: Tensor, *, scale: float, margin: float) -> Tensor:
    """Self-paced weights and margins: cosine [B, C] and labels [B] -> logits [B, C]."""
    true_class = F.one_hot(labels, cosine.shape[1]).bool()
    alpha_p = (1 + margin - cosine).relu().detach()
    alpha_n = (cosine + margin).relu().detach()
    positive = alpha_p * (cosine - (1 - margin))
    negative = alpha_n * (cosine - margin)
    return scale * torch.where(true_class, positive, negative)


class Linear(nn.Module):
    """Weights without bias: embedding [B, D] -> scores [B, C], which are the logits too."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, channels))

    def start(self, generator: torch.Generator) -> None:
        """Nearly equal logits."""
        nn.init.normal_(self.weight, std=0.001, generator=generator)

    def forward(self, embedding: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        scores = F.linear(embedding, self.weight)
        return scores, scores


class Cosine(nn.Module):
    """Normalised weights and embedding [B, D] -> cosines and circle or unified logits [B, C]."""

    def __init__(self, channels: int, num_classes: int, kind: str, params: CircleParams) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, channels))
        self.logits = {"circle": circle_logits, "unified": unified_logits}[kind]
        self.params = params

    def start(self, generator: torch.Generator) -> None:
        """Rows of one length for any D, as FastReID's: the length sets how fast Adam turns them."""
        fan_in_uniform(self.weight, generator)

    def forward(self, embedding: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        # Scale 64 turns an error of bfloat16 in the cosine into a quarter of a logit.
        with torch.autocast(embedding.device.type, enabled=False):
            cosine = F.linear(F.normalize(embedding), F.normalize(self.weight))
            scale, margin = self.params.scale, self.params.margin
            return cosine, self.logits(cosine, labels, scale=scale, margin=margin)


def classifier(kind: str, channels: int, num_classes: int, params: CircleParams) -> nn.Module:
    """The head of the parameter `classifier`: linear, circle or unified.

    It maps embedding [B, D] and labels [B] to class scores [B, C], whose largest is the answer, and
    to logits [B, C] for the loss, where the margin keeps the true class down.
    """
    if kind == "linear":
        return Linear(channels, num_classes)
    return Cosine(channels, num_classes, kind, params)
