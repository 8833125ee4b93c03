"""Ours against an independent implementation: outputs, input gradients, parameter gradients."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

RTOL = {torch.float64: 1e-9, torch.float32: 2e-4}
# A bias before a batch norm has the gradient 0 and the round-off of many terms.
ATOL = {torch.float64: 1e-11, torch.float32: 1e-4}


def assert_close(got: Tensor, expected: Tensor) -> None:
    """Equal up to the round-off of the type of `got`, in which both are compared."""
    rtol, atol = RTOL[got.dtype], ATOL[got.dtype]
    torch.testing.assert_close(got, expected.to(got.dtype), rtol=rtol, atol=atol)


def randomise(module: nn.Module, seed: int = 0) -> None:
    """Draw every parameter, so that nothing hides behind a zero."""
    generator = torch.Generator().manual_seed(seed)
    for weights in module.parameters():
        nn.init.normal_(weights, mean=0.1, std=0.5, generator=generator)


def draw(*shape: int, dtype: torch.dtype, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=dtype, generator=generator)


def assert_same(ours: nn.Module, theirs: nn.Module, names: Mapping[str, str], x: Tensor) -> None:
    """Copy our parameters to theirs (`names`: our name -> their name); compare all there is."""
    ours, theirs = ours.to(x.dtype), theirs.to(x.dtype)
    mine, other = dict(ours.named_parameters()), dict(theirs.named_parameters())
    assert set(mine) == set(names)
    assert set(other) == set(names.values())
    with torch.no_grad():
        for name, their_name in names.items():
            other[their_name].copy_(mine[name].view_as(other[their_name]))
    results = [_run(module, x) for module in (ours, theirs)]
    for got, expected in zip(*results, strict=True):
        assert_close(got, expected)
    for name, their_name in names.items():
        got, expected = mine[name].grad, other[their_name].grad
        assert got is not None
        assert expected is not None
        assert_close(got, expected.view_as(got))


def _run(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.clone().requires_grad_()
    out = module(leaf)
    # A sum of equal weights would not see a permutation of the output.
    (out * draw(*out.shape, dtype=out.dtype, seed=2)).sum().backward()
    assert leaf.grad is not None
    return out.detach(), leaf.grad
