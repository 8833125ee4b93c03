"""SE, ECA, CBAM and the embedded non-local block against timm."""

from importlib import import_module
from typing import Literal

import pytest
import torch
from timm.layers.cbam import CbamModule
from timm.layers.eca import EcaModule
from timm.layers.non_local_attn import NonLocalAttn
from timm.layers.squeeze_excite import SEModule
from torch import Tensor

from reidpipe.attention import cbam, eca, se
from tests.parity.compare import assert_same, draw, randomise

NonLocal = import_module("reidpipe.attention.nonlocal").Attention
each_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])


@each_dtype
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("channels", [64, 512])
def test_se(channels: int, bias: bool, dtype: torch.dtype) -> None:
    ours = se.Attention(channels, reduction=16, bias=bias)
    theirs = SEModule(channels, rd_channels=channels // 16, bias=bias)
    parts = ["weight", "bias"] if bias else ["weight"]
    names = {f"squeeze.{part}": f"fc1.{part}" for part in parts}
    names |= {f"excite.{part}": f"fc2.{part}" for part in parts}
    randomise(ours)
    assert_same(ours, theirs, names, draw(3, channels, 5, 3, dtype=dtype))


@each_dtype
@pytest.mark.parametrize(("channels", "k"), [(64, 3), (128, 5), (1024, 5), (2048, 7)])
def test_eca(channels: int, k: int, dtype: torch.dtype) -> None:
    ours, theirs = eca.Attention(channels), EcaModule(channels)
    assert ours.conv.kernel_size == (k,)
    randomise(ours)
    assert_same(ours, theirs, {"conv.weight": "conv.weight"}, draw(3, channels, 5, 3, dtype=dtype))


def cbam_names(*, bias: bool) -> dict[str, str]:
    parts = ["weight", "bias"] if bias else ["weight"]
    names = {f"channel.mlp.0.{part}": f"channel.fc1.{part}" for part in parts}
    names |= {f"channel.mlp.2.{part}": f"channel.fc2.{part}" for part in parts}
    spatial = ["conv.weight", "bn.weight", "bn.bias"]
    return names | {f"spatial.{part}": f"spatial.conv.{part}" for part in spatial}


@each_dtype
@pytest.mark.parametrize("kernel", [3, 7])
@pytest.mark.parametrize("bias", [True, False])
def test_cbam(bias: bool, kernel: Literal[3, 7], dtype: torch.dtype) -> None:
    ours = cbam.Attention(64, reduction=16, kernel=kernel, bias=bias)
    theirs = CbamModule(64, rd_channels=4, spatial_kernel_size=kernel, mlp_bias=bias)
    randomise(ours)
    assert_same(ours, theirs, cbam_names(bias=bias), draw(3, 64, 9, 5, dtype=dtype))


@each_dtype
def test_cbam_with_the_spatial_gate_first(dtype: torch.dtype) -> None:
    class SpatialFirst(CbamModule):
        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.channel(self.spatial(x))
            return out

    ours, theirs = cbam.Attention(64, order="spatial-channel"), SpatialFirst(64, rd_channels=4)
    randomise(ours)
    assert_same(ours, theirs, cbam_names(bias=False), draw(3, 64, 9, 5, dtype=dtype))


@each_dtype
@pytest.mark.parametrize("channels", [64, 256])
def test_nonlocal_embedded(channels: int, dtype: torch.dtype) -> None:
    ours = NonLocal(channels, inner="half", form="embedded")
    theirs = NonLocalAttn(channels, use_scale=False, rd_ratio=0.5)  # type: ignore[no-untyped-call]
    pairs = {"theta": "t", "phi": "p", "g": "g", "z": "z", "bn": "norm"}
    parts = ["weight", "bias"]
    names = {f"{a}.{part}": f"{b}.{part}" for a, b in pairs.items() for part in parts}
    randomise(ours)
    # Small inputs: the affinities are not scaled, and a one-hot softmax would prove little.
    assert_same(ours, theirs, names, draw(3, channels, 5, 3, dtype=dtype) * 0.1)
