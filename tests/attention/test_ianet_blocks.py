"""IANet's blocks, against loops, and what their two forms of a relation come to."""

import math

import pytest
import torch
from torch import Tensor

from reidpipe.attention.ianet import Attention, Channel, Spatial, location


def picture(height: int = 4, width: int = 2, channels: int = 6) -> Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randn(2, channels, height, width, dtype=torch.float64, generator=random)


def weights(height: int, width: int) -> list[list[float]]:
    """L, place by place."""
    places = [(y, x) for y in range(height) for x in range(width)]
    found = []
    for y, x in places:
        row = [
            math.exp(
                -((other_x - x) ** 2) / (2 * (0.625 * width) ** 2)
                - (other_y - y) ** 2 / (2 * (0.625 * height) ** 2)
            )
            for other_y, other_x in places
        ]
        found.append([value / sum(row) for value in row])
    return found


@pytest.mark.parametrize("size", [(4, 2), (3, 5), (1, 1)])
def test_location_is_a_gaussian_of_the_distance(size: tuple[int, int]) -> None:
    expected = torch.tensor(weights(*size), dtype=torch.float64)
    torch.testing.assert_close(location(*size), expected)


@pytest.mark.parametrize("relation", ["product", "softmax"])
def test_spatial_affinity_is_the_formula(relation: str) -> None:
    x = picture()
    found = Spatial(6, relation).affinity(x)
    flat, near = x.flatten(2), weights(4, 2)
    for image in range(2):
        for i in range(8):
            scores = [float(flat[image, :, i] @ flat[image, :, j]) / 6**0.5 for j in range(8)]
            total = sum(map(math.exp, scores))
            both = [math.exp(score) / total * near[i][j] for j, score in enumerate(scores)]
            if relation == "softmax":
                both = [math.exp(value) for value in both]
            expected = [value / sum(both) for value in both]
            assert found[image, i].tolist() == pytest.approx(expected)


def test_the_released_form_is_nearly_a_plain_average() -> None:
    """The reason why it is not the default: no weight is far from 1 / N, whatever the features."""
    x = 3 * picture(16, 8, 32)
    found = Spatial(32, "softmax").affinity(x)
    assert (found.amax(2) / found.amin(2)).max() < 1.015
    product = Spatial(32, "product").affinity(x)
    assert (product.amax(2) / product.amin(2)).max() > 100
    torch.testing.assert_close(product.sum(2), torch.ones(2, 128, dtype=torch.float64))


def test_channels_are_mixed_by_their_products() -> None:
    x = picture()
    found = Channel(6).affinity(x)
    flat = x.flatten(2)
    for c in range(6):
        scores = [float(flat[1, c] @ flat[1, other]) for other in range(6)]
        total = sum(math.exp(score) for score in scores)
        assert found[1, c].tolist() == pytest.approx([math.exp(s) / total for s in scores])


def test_permuted_channels_permute_the_answer() -> None:
    block, order = Channel(6).double().eval(), [3, 1, 0, 5, 2, 4]
    torch.testing.assert_close(block(picture()[:, order]), block(picture())[:, order])


def test_of_equal_pixels_the_location_alone_weighs() -> None:
    same = picture()[:, :, :1, :1].expand(-1, -1, 4, 2)
    found = Spatial(6, "product").affinity(same)
    torch.testing.assert_close(found[0], location(4, 2))


def norm(y: list[list[float]], x: Tensor) -> Tensor:
    """BN(y) + x in evaluation mode with its first statistics, of an image [C, N]."""
    found = torch.tensor(y, dtype=torch.float64) / math.sqrt(1 + 1e-5)
    return found.view(x.shape) + x


@pytest.mark.parametrize("kind", ["spatial", "channel"])
def test_a_block_adds_what_its_rows_weigh(kind: str) -> None:
    """Place by place and channel by channel; A is no more symmetric than F."""
    block = Spatial(6, "product") if kind == "spatial" else Channel(6)
    torch.nn.init.ones_(block.bn.weight)
    block.double().eval()
    x = picture()
    rows = block.affinity(x)
    assert not torch.allclose(rows, rows.mT)
    for image in range(2):
        flat, own = x[image].flatten(1).tolist(), rows[image].tolist()
        if kind == "spatial":
            y = [[sum(own[i][j] * line[j] for j in range(8)) for i in range(8)] for line in flat]
        else:
            y = [
                [sum(own[c][d] * flat[d][i] for d in range(6)) for i in range(8)] for c in range(6)
            ]
        torch.testing.assert_close(block(x)[image], norm(y, x[image]))


def test_both_forms_pass_their_gradient() -> None:
    for relation in ("product", "softmax"):
        block = Attention(6, relation=relation).double()
        for part in (block.spatial, block.channel):
            torch.nn.init.ones_(part.bn.weight)
        assert torch.autograd.gradcheck(block, (picture().requires_grad_(),))
