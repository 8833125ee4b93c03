"""Joint loss, equation 5 of the paper: cross-entropy plus triplet, equal weights."""

from typing import Protocol

from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from reidpipe.losses.triplet import batch_hard
from reidpipe.params import TripletParams


class Output(Protocol):
    """What the network gives: features before the BN neck [B, D], logits [B, C]."""

    @property
    def feature(self) -> Tensor: ...

    @property
    def logits(self) -> Tensor: ...


def joint_loss(
    output: Output, labels: Tensor, *, label_smoothing: float, triplet: TripletParams | None
) -> dict[str, Tensor]:
    """Terms by name, scalars; the loss is their sum.

    Label smoothing is torch's: the true class has 1 - eps + eps / C, every other eps / C (Szegedy
    et al., https://arxiv.org/abs/1512.00567, section 7). FastReID gives the others eps / (C - 1).
    """
    parts = {"ce": F.cross_entropy(output.logits, labels, label_smoothing=label_smoothing)}
    if triplet is not None:
        parts["triplet"] = batch_hard(output.feature, labels, margin=triplet.margin)
    return parts
