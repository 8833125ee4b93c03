"""The tiny pipeline, rebuilt once for all tests."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.pipeline.clone import Clone


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> list[Clone]:
    """Two clones in two folders, each rebuilt from scratch (side by side: one thread each)."""
    clones = [Clone(tmp_path_factory.mktemp(name) / "clone") for name in ("one", "other")]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda clone: clone.run("dvc", "repro"), clones))
    for clone in clones:
        clone.commit("rebuilt")
    return clones
