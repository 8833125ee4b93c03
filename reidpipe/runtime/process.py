"""How a process of ours waits and collects its garbage: for entry points, never on import."""

import atexit
import gc
import os


def settle() -> None:
    """To be called before anything loads torch, which reads the first two when it starts.

    A thread that spins while it waits for another takes the core that the other one needs: with one
    more busy process on the machine, training is much slower. A thread that goes to sleep at once
    has to be woken for each of a step's hundreds of operations. So it spins for about a tenth of a
    millisecond, then sleeps (benchmarks/waiting.py).

    torch loads half a million objects that stay. Looking among them for garbage, again and again
    when it loads and once more at the end, is a third of the time of a stage that only starts
    (benchmarks/start.py).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "4000")
    gc.set_threshold(20_000)
    atexit.register(gc.freeze)
