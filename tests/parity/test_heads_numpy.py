"""Circle and unified classifiers against their equations in float64 numpy, and their limits."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812

from reidpipe.layers.heads import Cosine
from reidpipe.losses.circle import circle_logits, unified_logits
from tests.parity.compare import draw

Array = NDArray[np.float64]
B, D, C = 6, 16, 9
LABELS = np.array([0, 3, 3, 8, 1, 5])
each_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
each_kind = pytest.mark.parametrize("kind", ["circle", "unified"])
each_margin = pytest.mark.parametrize(("scale", "margin"), [(64.0, 0.35), (256.0, 0.25), (8.0, 0)])


def weights_and_logits(kind: str, cosine: Array, s: float, m: float) -> tuple[Array, Array]:
    """The factor s * alpha of each similarity, and z; one element at a time."""
    alpha, z = np.ones_like(cosine), np.empty_like(cosine)
    for i, j in np.ndindex(*cosine.shape):
        c, true_class = float(cosine[i, j]), j == LABELS[i]
        if kind == "circle":
            alpha[i, j] = max(0.0, 1 + m - c) if true_class else max(0.0, c + m)
            shift = 1 - m if true_class else m
        else:
            shift = m if true_class else 0.0
        z[i, j] = s * alpha[i, j] * (c - shift)
    return s * alpha, z


def normalised(rows: Array) -> tuple[Array, Array]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / length, length


def loss_and_gradients(
    kind: str, x: Array, w: Array, s: float, m: float
) -> tuple[float, Array, Array]:
    """log(1 + sum exp(z_j - z_y)), equations 1 and 4, and its gradients, alpha being constant."""
    x_unit, x_length = normalised(x)
    w_unit, w_length = normalised(w)
    cosine = x_unit @ w_unit.T
    alpha, z = weights_and_logits(kind, cosine, s, m)
    others = np.arange(C)[None, :] != LABELS[:, None]
    margin = z - z[np.arange(B), LABELS][:, None]
    loss = np.log1p((np.exp(margin) * others).sum(1)).mean()
    power = np.exp(z - z.max(1, keepdims=True))
    softmax = power / power.sum(1, keepdims=True)
    d_cosine = (softmax - ~others) * alpha / B
    d_x, d_w = d_cosine @ w_unit, d_cosine.T @ x_unit
    return float(loss), _tangent(d_x, x_unit, x_length), _tangent(d_w, w_unit, w_length)


def _tangent(gradient: Array, unit: Array, length: Array) -> Array:
    """Gradient through the division of a row by its length."""
    along = (gradient * unit).sum(1, keepdims=True) * unit
    result: Array = (gradient - along) / length
    return result


@each_dtype
@each_kind
@each_margin
def test_loss_and_gradients(kind: str, scale: float, margin: float, dtype: torch.dtype) -> None:
    head = Cosine(D, C).to(dtype)
    logits = {"circle": circle_logits, "unified": unified_logits}[kind]
    weight = head.get_parameter("weight")
    weight.data.copy_(draw(C, D, dtype=dtype, seed=5))
    x = draw(B, D, dtype=dtype).requires_grad_()
    labels = torch.from_numpy(LABELS)
    loss = F.cross_entropy(logits(head(x), labels, scale=scale, margin=margin), labels)
    got_x, got_w = torch.autograd.grad(loss, [x, weight])
    arrays = x.detach().double().numpy(), weight.detach().double().numpy()
    expected, d_x, d_w = loss_and_gradients(kind, *arrays, scale, margin)
    # The scale of 256 magnifies the round-off of the cosine, hence the wider float32.
    rtol, atol = (1e-9, 1e-11) if dtype == torch.float64 else (2e-3, 1e-4)
    np.testing.assert_allclose(loss.item(), expected, rtol=rtol)
    np.testing.assert_allclose(got_x, d_x, rtol=rtol, atol=atol)
    np.testing.assert_allclose(got_w, d_w, rtol=rtol, atol=atol)


def test_unified_without_margin_is_the_scaled_cosine_softmax() -> None:
    cosine = draw(B, C, dtype=torch.float64).tanh()
    labels = torch.from_numpy(LABELS)
    logits = unified_logits(cosine, labels, scale=64, margin=0)
    torch.testing.assert_close(logits, 64 * cosine)


def test_unified_is_equation_4_of_the_paper() -> None:
    cosine = draw(B, C, dtype=torch.float64).tanh()
    labels = torch.from_numpy(LABELS)
    loss = F.cross_entropy(unified_logits(cosine, labels, scale=10, margin=0.35), labels)
    expected = []
    for row, label in zip(cosine, LABELS, strict=True):
        negatives = [float(c) for j, c in enumerate(row) if j != label]
        pairs = [np.exp(10 * (s_n - float(row[label]) + 0.35)) for s_n in negatives]
        expected.append(np.log(1 + sum(pairs)))
    torch.testing.assert_close(loss.item(), float(np.mean(expected)))


def test_the_gradient_of_circle_vanishes_at_its_optimum() -> None:
    """s_p = 1 + m, s_n = -m (section 3.2), where the gradient of unified does not."""
    labels = torch.from_numpy(LABELS)
    m = 0.35
    cosine = torch.full((B, C), -m, dtype=torch.float64)
    cosine[torch.arange(B), labels] = 1 + m
    cosine.requires_grad_()
    gradients = [
        torch.autograd.grad(
            F.cross_entropy(logits(cosine, labels, scale=2, margin=m), labels), cosine
        )[0]
        for logits in (circle_logits, unified_logits)
    ]
    assert torch.equal(gradients[0], torch.zeros(B, C, dtype=torch.float64))
    assert gradients[1].abs().min() > 1e-3


def test_the_pace_of_circle_is_a_constant_in_its_gradient() -> None:
    """Equation 10: each similarity is paced by its distance to the optimum, as a constant."""
    cosine = torch.tensor([[0.6, 0.1, 0.1]], dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0])
    m, s = 0.25, 16.0
    logits = circle_logits(cosine, labels, scale=s, margin=m)
    upstream = torch.tensor([[-1.0, 1.0, 0.0]], dtype=torch.float64)
    gradient = torch.autograd.grad(logits, cosine, upstream)[0]
    expected = torch.tensor([[-s * (1 + m - 0.6), s * (0.1 + m), 0.0]], dtype=torch.float64)
    torch.testing.assert_close(gradient, expected)
