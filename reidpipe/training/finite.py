"""A loss that is a number."""

import math

from torch import Tensor

from reidpipe.errors import UserError


def finite(loss: Tensor, where: str) -> float:
    """The value of a loss.

    Raises:
        UserError: it is none.
    """
    value = loss.item()
    if not math.isfinite(value):
        raise UserError(
            "the loss is not finite",
            where=where,
            expected="a finite loss",
            found=value,
            fix="lower its lr, or train with precision fp32",
        )
    return value
