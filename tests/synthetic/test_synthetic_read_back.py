"""What the generator writes, the benchmarks' own readers read."""

from pathlib import Path

import pandas as pd
import pytest

from reidpipe.datasets import packing, splitting
from reidpipe.formats import zips
from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.synthetic.generation import TRUTH, generate
from reidpipe.synthetic.layouts import member
from reidpipe.synthetic.plan import planned


@pytest.mark.parametrize("layout", ["market1501", "dukemtmc", "msmt17"])
@pytest.mark.parametrize("use_val", [False, True])
def test_the_manifest_is_the_plan(layout: str, use_val: bool, tmp_path: Path) -> None:
    content = {"source": "synthetic", "layout": layout, "cameras": 4, "distractors": 6}
    source = SyntheticSource.model_validate(content | {"train_ids": 6, "test_ids": 4})
    generate(tmp_path / "raw.zip", source)
    packing.pack(tmp_path / "raw.zip", tmp_path / "data.zip", layout, extras=[TRUTH])
    splitting.split(tmp_path / "data.zip", tmp_path / "data.csv", layout, use_val=use_val)
    manifest = pd.read_csv(tmp_path / "data.csv")
    subsets = {"train": "train", "query": "query", "gallery": "gallery"}
    subsets |= {"val": "train"} if use_val else {}
    expected = {
        (member(source, shot).split("/", 1)[1], shot.pid, shot.camid, subsets[shot.subset])
        for shot in planned(source)
        if shot.subset in subsets and shot.pid >= 0
    }
    columns = [manifest[name] for name in ("member", "pid", "camid", "subset")]
    assert set(zip(*columns, strict=True)) == expected
    assert len(manifest) == len(expected)
    truth = zips.read(tmp_path / "data.zip", TRUTH).decode().splitlines()[1:]
    assert set(manifest["member"]) <= {line.split(",")[0] for line in truth}
