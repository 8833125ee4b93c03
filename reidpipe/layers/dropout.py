"""Dropout whose masks come from the run's own random streams.

Srivastava et al., Dropout, JMLR 15 (2014): in training each value is 0 with probability p, and the
others are divided by 1 - p. A mask depends on the seed, the module, the epoch and the step alone:
a resumed run sees the masks of the undisturbed one, and several processes share out those of one.
"""

import torch
from torch import Tensor, nn

from reidpipe.runtime import ranks
from reidpipe.runtime.streams import stream


class Dropout(nn.Module):
    """Values [B, ...] -> the same, of which a share `p` is 0 in training."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.key: tuple[int | str, ...] = ()
        """Of the random stream; `draw_from` sets it before each step."""

    def forward(self, x: Tensor) -> Tensor:
        """X [B, ...] of this rank; the mask is drawn for the whole batch.

        Raises:
            RuntimeError: it is to train, and no one has said from which stream.
        """
        if not self.training or self.p == 0:
            return x
        if not self.key:
            raise RuntimeError("dropout without a random stream: draw_from(model, ...) first")
        shape = (len(x) * ranks.world(), *x.shape[1:])
        kept = stream(*self.key).random(shape, dtype="float32") >= self.p
        mask = torch.from_numpy(kept[ranks.share(len(kept))])
        return x * mask.to(x.device, non_blocking=True) / (1 - self.p)


def draw_from(model: nn.Module, *key: int | str) -> None:
    """Give each `Dropout` of the model the stream of `key` and of its own name."""
    for name, module in model.named_modules():
        if isinstance(module, Dropout):
            module.key = ("dropout", name, *key)
