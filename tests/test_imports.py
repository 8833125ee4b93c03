"""No import computes with torch: it would choose the instructions of the CPU before a stage can."""

from tests.fresh import ROOT, python

IMPORTS = """
import importlib, sys, traceback
from pathlib import Path

import torch, torchvision  # whatever they do on their own
from torch.utils._python_dispatch import TorchDispatchMode

root = Path.cwd()
sys.path.insert(0, str(root))

class Told(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        ours = [f for f in traceback.extract_stack() if str(root) in f.filename]
        print(f"{Path(ours[-1].filename).relative_to(root)}:{ours[-1].lineno} computes {func}")
        return func(*args, **(kwargs or {}))

with Told():
    for name in sys.argv[1:]:
        importlib.import_module(name)
print(len(sys.argv) - 1, "imported")
"""
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for folder in ("reidpipe", "stages", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)


def test_no_import_computes() -> None:
    done = python("-c", IMPORTS, *MODULES)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(MODULES)} imported\n"
