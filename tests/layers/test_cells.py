"""Cells: sizes, operations by torch's own, and what the part-aware operation knows."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.formats.cells import OPERATIONS
from reidpipe.layers import cells
from reidpipe.layers.initial import initialise


def made(module: nn.Module) -> Any:
    initialise(module, torch.Generator().manual_seed(0))
    return module.double().eval()


def maps(*shape: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randn(shape, generator=random, dtype=torch.float64)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("size", [(24, 8), (12, 4), (3, 1), (7, 5), (1, 1)])
@pytest.mark.parametrize("stride", [1, 2])
def test_sizes_are_kept_or_halved_and_rounded_up(
    name: str, size: tuple[int, int], stride: int
) -> None:
    found = made(cells.operation(name, 6, stride))(maps(2, 6, *size))
    assert found.shape == (2, 6, *(math.ceil(count / stride) for count in size))


def test_an_unknown_operation_is_none() -> None:
    with pytest.raises(ValueError, match="skipp"):
        cells.operation("skipp", 4, 1)


def test_a_halved_map_has_every_pixel_of_an_even_one() -> None:
    halved = made(cells.Halved(3, 4, affine=True))
    x = maps(1, 3, 4, 6).abs().requires_grad_()  # it looks at what is positive
    halved(x).square().sum().backward()
    assert x.grad is not None
    seen = x.grad.abs().sum(1)[0] > 0
    expected = torch.zeros(4, 6, dtype=torch.bool)
    expected[::2, ::2] = expected[1::2, 1::2] = True
    assert torch.equal(seen, expected), "the pixels (even, even) and (odd, odd)"


def test_depthwise_operations_by_torchs_functions() -> None:
    x = maps(2, 4, 9, 5)
    dilated = made(cells.operation("dilated", 4, 2))
    _, apart, together, norm = dilated
    y = F.conv2d(x.relu(), apart.weight, stride=2, padding=2, dilation=2, groups=4)
    expected = norm(F.conv2d(y, together.weight))
    torch.testing.assert_close(dilated(x), expected)
    separable = made(cells.operation("separable", 4, 1))
    for first in (0, 4):
        x = F.conv2d(x.relu(), separable[first + 1].weight, padding=1, groups=4)
        x = separable[first + 3](F.conv2d(x, separable[first + 2].weight))
    torch.testing.assert_close(separable(maps(2, 4, 9, 5)), x)


def part_aware(height: int = 8) -> tuple[cells.PartAware, torch.Tensor]:
    part = made(cells.PartAware(5, 1))
    assert isinstance(part, cells.PartAware)
    return part, maps(2, 5, height, 3)


@pytest.mark.parametrize("height", [8, 6, 4, 3, 1])
def test_the_part_aware_operation_row_by_row(height: int) -> None:
    part, x = part_aware(height)
    count = min(4, height)
    rows = [[h for h in range(height) if h * count // height == m] for m in range(count)]
    means = torch.stack([x[:, :, own].mean((2, 3)) for own in rows], dim=1)
    body = means @ part.vectors.weight.T + part.vectors.bias
    likeness = torch.einsum("bmc,bnc->bmn", body, body) / math.sqrt(5)
    told = torch.einsum("bmn,bnc->bmc", likeness.softmax(2), body)
    spread = torch.stack(
        [told[:, next(m for m in range(count) if h in rows[m])] for h in range(height)], dim=2
    )
    y = torch.cat([x, spread[..., None].expand_as(x)], dim=1)
    torch.testing.assert_close(part(x), part.joined(y))


def test_without_what_it_is_told_it_is_a_plain_convolution() -> None:
    part, x = part_aware()
    conv, norm = part.joined[1], part.joined[2]
    with torch.no_grad():
        part.vectors.weight.zero_()
        part.vectors.bias.zero_()
        conv.weight[:, 5:] = 0  # type: ignore[operator]
        expected = norm(F.conv2d(x.relu(), conv.weight[:, :5]))  # type: ignore[index]
        torch.testing.assert_close(part(x), expected)


def test_equal_vectors_stay_and_permuted_ones_are_permuted() -> None:
    body = maps(2, 1, 5).expand(2, 4, 5)
    torch.testing.assert_close(cells.attended(body), body)
    body, order = maps(2, 4, 5), [2, 0, 3, 1]
    torch.testing.assert_close(cells.attended(body[:, order]), cells.attended(body)[:, order])


def test_a_cell_sums_two_edges_per_node() -> None:
    nodes = [
        [("skip", 0), ("max", 1)],
        [("average", 2), ("skip", 1)],
        [("skip", 3), ("skip", 2)],
        [("max", 4), ("average", 0)],
    ]
    cell = made(cells.Cell((3, 6), 4, nodes, reduces=False, reduced=False))
    older, newer = maps(2, 3, 8, 4), maps(2, 6, 8, 4)
    with torch.no_grad():
        zero, one = (part(x) for part, x in zip(cell.inputs, (older, newer), strict=True))
        average = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        two = zero + F.max_pool2d(one, 3, 1, 1)
        three = average(two) + one
        four = three + two
        five = F.max_pool2d(four, 3, 1, 1) + average(zero)
        torch.testing.assert_close(cell(older, newer), torch.cat([two, three, four, five], dim=1))


def test_the_cell_after_one_that_halves_has_inputs_of_two_sizes() -> None:
    nodes = [[("separable", 0), ("part", 1)]] * 4
    cell = made(cells.Cell((6, 8), 4, nodes, reduces=False, reduced=True))
    assert cell(maps(2, 6, 12, 4), maps(2, 8, 6, 2)).shape == (2, 16, 6, 2)
    odd = made(cells.Cell((6, 8), 4, nodes, reduces=True, reduced=False))
    assert odd(maps(2, 6, 3, 1), maps(2, 8, 3, 1)).shape == (2, 16, 2, 1)
