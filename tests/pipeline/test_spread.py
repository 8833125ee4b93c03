"""Runs side by side, on each way: the lock in the end is `dvc repro`'s, whatever was killed.

REIDPIPE_KILLS says how often each kind of kill is tried, at moments that are drawn anew each time;
without it two of the five kinds are, once.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from ray.cluster_utils import Cluster

from reidpipe.commands.spread.cluster import SCRATCH
from reidpipe.errors import UserError
from reidpipe.formats import weights
from tests.commands.spread.test_lines import SBATCH
from tests.fresh import environment
from tests.pipeline.clone import REIDPIPE, Clone, stages_run
from tests.pipeline.test_planted import OneRun

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("test_spread")]

ASKED = os.environ.get("REIDPIPE_KILLS", "")
TIMES = int(ASKED or 1)
RUNS = "market1501-tri", "market1501-tri-cir"
LONGEST = 6.0
"""Seconds after the first run has begun, in which something is killed; trainings are longer."""
FAR = 8
"""Epochs after which a training that began anew would be seen to."""
T = TypeVar("T")


class TwoRuns(OneRun):
    """Two runs on their data set, tiny, with more epochs."""

    def shrink(self) -> None:
        Clone.shrink(self)
        self.keep(*RUNS)
        path = self.folder / "params.yaml"
        embedded, paper = path.read_text().split("\npaper:")
        embedded = re.sub(r"( )epochs: 1\b", r"\1epochs: 30", embedded)
        path.write_text(f"{embedded}\npaper:{paper}")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> TwoRuns:
    return TwoRuns(tmp_path_factory.mktemp("two") / "clone")


@pytest.fixture(scope="module")
def lock(untouched: TwoRuns, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a plain `dvc repro` writes."""
    plain = untouched.copy(tmp_path_factory.mktemp("plain") / "clone")
    plain.run("dvc", "repro", *(f"evaluate@{run}" for run in RUNS))
    return plain.read("dvc.lock")


@pytest.fixture
def clone(untouched: TwoRuns, tmp_path: Path) -> Iterator[Clone]:
    made = untouched.copy(tmp_path / "clone")
    yield made
    for process in below(made.folder):
        process.kill()


def spread(clone: Clone, longest: float = LONGEST) -> "subprocess.Popen[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        [*REIDPIPE, "spread", "--at-once", "2", *RUNS],
        cwd=clone.folder,
        env=environment(PATH=path, PYTHONUNBUFFERED="1", OMP_NUM_THREADS="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell's background job ignores Ctrl-C, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
    )
    for line in process.stdout or ():
        if re.match(rf"({'|'.join(RUNS)}): began", line):
            break
    time.sleep(random.uniform(0, longest))  # noqa: S311
    return process


def below(folder: Path) -> list[psutil.Process]:
    """Processes that work in a checkout of the clone."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder / ".dvc/tmp/spread"):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def words(process: psutil.Process) -> list[str]:
    """Its command; none where it has ended meanwhile."""
    try:
        return [*process.cmdline()]
    except psutil.Error:
        return []


def a_stage(clone: Clone) -> list[psutil.Process]:
    return [p for p in below(clone.folder) if "stages." in " ".join(words(p)[1:3])]


def a_stage_whose_work_is_done(clone: Clone) -> list[psutil.Process]:
    """While it writes what it has made, or DVC does: then it is done again, or not."""
    logs = (clone.folder / ".dvc/tmp/spread/logs").glob("market*")
    ended = [log.stem for log in logs if re.search(r" (\d+)/\1 ", log.read_text())]
    return [p for p in a_stage(clone) if not {*words(p)[-1:]}.isdisjoint(ended)]


def a_worker(clone: Clone) -> list[psutil.Process]:
    """The process of Ray's above a task."""
    found = []
    for process in below(clone.folder):
        with suppress(psutil.Error):
            found += [p for p in process.parents() if p.name().startswith("ray::")]
    return found


def kill_one(find: Callable[[Clone], list[psutil.Process]], clone: Clone) -> None:
    """Waits for one, where it is between two; it is gone then."""
    while True:
        with suppress(psutil.NoSuchProcess):
            (found := soon(lambda: find(clone))[0]).kill()
            psutil.wait_procs([found], timeout=10)
            return


def soon(look: Callable[[], list[T]]) -> list[T]:
    """What `look` finds when there is something to be found."""
    deadline = time.monotonic() + 120
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def check(clone: Clone, lock: str, *, kills: int = 0) -> None:
    check_lock(clone, lock)
    for run in RUNS:
        *lost, _ = trainings(clone, run)
        assert len(lost) <= kills
        assert not any("lock file" in attempt for attempt in lost), "what DVC has is not made again"


def trainings(clone: Clone, run: str) -> list[str]:
    """What the log says of each start of a training, up to the next stage."""
    log = (clone.folder / f".dvc/tmp/spread/logs/{run}.log").read_text()
    after = log.split(f"Running stage 'train@{run}'")[1:]
    return [re.split(r"^(?:Running stage|Stage) '", text, flags=re.M)[0] for text in after]


def check_lock(clone: Clone, lock: str) -> None:
    assert clone.read("dvc.lock") == lock
    assert clone.reidpipe("spread", "--dry", *RUNS).stdout == ""


def test_a_lock_without_its_cache_stays_as_it_is(clone: Clone, lock: str) -> None:
    # In an order that no run of DVC's would give it.
    head, *entries = re.split(r"^(?=  \S+:$)", lock, flags=re.M)
    turned = "".join([head, *reversed(entries)])
    (clone.folder / "dvc.lock").write_text(turned)
    clone.commit("another machine's")
    clone.reidpipe("spread", "--at-once", "2", *RUNS)
    check(clone, turned)


seldom = pytest.mark.skipif(not ASKED, reason="REIDPIPE_KILLS is not set")
again = pytest.mark.parametrize("attempt", range(TIMES))


@again
@pytest.mark.parametrize(
    "find",
    [a_stage, *(pytest.param(f, marks=seldom) for f in (a_stage_whose_work_is_done, a_worker))],
)
def test_a_killed_task_or_worker_is_begun_again(
    find: Callable[[Clone], list[psutil.Process]], attempt: int, clone: Clone, lock: str
) -> None:
    process = spread(clone)
    kill_one(find, clone)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    check(clone, lock, kills=1)


def test_a_training_goes_on_from_its_last_state(clone: Clone, lock: str) -> None:
    process = spread(clone, longest=0)
    run = soon(lambda: [run for run, epoch in saved(clone).items() if epoch >= FAR])[0]
    kill_one(lambda clone: [p for p in a_stage(clone) if words(p)[-1:] == [run]], clone)
    before = saved(clone).get(run, FAR)
    after = soon(lambda: [e for name, e in saved(clone).items() if name == run and e != before])
    assert after > [before]
    process.communicate(timeout=300)
    check(clone, lock, kills=1)


def saved(clone: Clone) -> dict[str, int]:
    """The epochs of each run that has a state."""
    found = {}
    # A state, its folder and the whole task may go while they are listed or read; safetensors opens
    # a file twice, and raises RuntimeError where it has gone between.
    with suppress(UserError, OSError, RuntimeError):
        tasks = clone.folder / ".dvc/tmp/spread/tasks"
        for path in tasks.glob("*/*/.resume/*/state.safetensors"):
            found[path.parents[2].name] = int(weights.load(path)[1]["position"]["epoch"])
    return found


@again
@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=seldom)])
def test_the_same_command_goes_on_after_the_head_is_killed(
    number: signal.Signals, attempt: int, clone: Clone, lock: str
) -> None:
    process = spread(clone)
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode != 0
    clone.reidpipe("spread", "--at-once", "2", *RUNS)
    check(clone, lock, kills=1)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[str, list[Path]]]:
    """A cluster of two nodes, each with a folder of its own; its address and the folders."""
    head = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    folders = [tmp_path / "node one", tmp_path / "node two"]
    for folder in folders:
        head.add_node(num_cpus=2, env_vars={SCRATCH: str(folder), "OMP_NUM_THREADS": "1"})
    yield head.address, folders
    head.shutdown()


def test_two_nodes_without_a_common_folder_by_a_remote(
    nodes: tuple[str, list[Path]], clone: Clone, lock: str, tmp_path: Path
) -> None:
    address, folders = nodes
    clone.run("dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    clone.reidpipe("spread", "--address", address, "--by-remote", *RUNS)
    check(clone, lock)
    assert not (clone.folder / ".dvc/tmp/spread/tasks").exists()
    caches = [{path.name for path in (f / "cache/files").rglob("*")} for f in folders]
    assert all(caches)
    assert caches[0] ^ caches[1], "each has what its own tasks made or needed"


def test_the_lines_for_slurm_do_the_same_without_ray(
    clone: Clone, lock: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sbatch").write_text(SBATCH)
    (tmp_path / "sbatch").chmod(0o755)
    (tmp_path / "lines.sh").write_text(clone.reidpipe("spread", "--lines", *RUNS).stdout)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    clone.run("sh", "-eu", str(tmp_path / "lines.sh"))
    said = clone.reidpipe("spread", "--gather", *RUNS).stdout
    assert stages_run(said) == ["resolve"]
    check_lock(clone, lock)


def test_a_sweep_leaves_an_experiment_per_combination(clone: Clone) -> None:
    refused = clone.reidpipe("spread", "-S", "seed=1,2", RUNS[0], check=False)
    assert refused.returncode == 2
    assert "not current" in refused.stderr
    clone.reidpipe("spread", RUNS[0])
    clone.commit("trained")
    before = clone.state()
    sweep = ("-S", "seed=1,2", "-S", "embedded.evaluate.bootstrap.samples=50")
    planned = clone.reidpipe("spread", "--dry", *sweep, "-S", "triplet=true,false", RUNS[0])
    assert planned.stdout.count("train@") == 4
    clone.reidpipe("spread", *sweep, RUNS[0])
    assert clone.state() == before
    (head,) = json.loads(clone.run("dvc", "exp", "show", "--json", "--hide-workspace").stdout)
    assert len(head["experiments"]) == 2


def test_a_task_that_fails_costs_the_others_nothing(clone: Clone) -> None:
    path = clone.folder / "stages/train.py"
    text = path.read_text()
    slip = f'    if run == "{RUNS[0]}":\n        raise SystemExit(2)\n'
    marked = "    model = Path(model_file(run))\n"
    assert marked in text
    path.write_text(text.replace(marked, slip + marked))
    result = clone.reidpipe("spread", *RUNS, check=False)
    assert result.returncode == 2
    assert f"logs/{RUNS[0]}.log" in result.stderr
    assert RUNS[1] not in result.stderr
    assert "Traceback" not in result.stderr
    done = clone.run("dvc", "repro", f"evaluate@{RUNS[1]}").stdout
    assert stages_run(done) == ["resolve"], "the other has left what it made"
