"""Whether the tests see a formula of a system that is wrong: each is broken once, on purpose.

    python -m benchmarks.mutations [FILE ...]      of these files alone: pcb.py dropout.py

A JSON line per mutation: the text as it was and as it is broken, and the first test that fails.
Exits with 1 when one is not seen. Works on a copy of the package; half an hour on 2 cores.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SYSTEMS = ("tests/systems/test_every_system.py", "tests/parity/test_golden.py")
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


class Mutation(NamedTuple):
    """A text of a file of reidpipe that stands there once, and what takes its place."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def of(file: str, tests: tuple[str, ...], *changes: tuple[str, str]) -> list[Mutation]:
    return [Mutation(file, old, new, tests) for old, new in changes]


MUTATIONS = [
    *of(
        "systems/pcb.py",
        ("tests/systems/test_pcb.py", *SYSTEMS),
        ("torch.stack(by_part).sum()", "torch.stack(by_part).mean()"),
        (
            "self._reduced(self.dropout(self.pooled(images)))",
            "self.dropout(self._reduced(self.pooled(images)))",
        ),
        ("self._reduced(self.dropout(self.pooled(images)))", "self._reduced(self.pooled(images))"),
        ("F.normalize(g, dim=1).mT.flatten(1)", "F.normalize(g.mT.flatten(1))"),
        ("F.normalize(g, dim=1).mT.flatten(1)", "F.normalize(g, dim=1).flatten(1)"),
        ("Linear(reduced, num_classes, bias=True)", "Linear(reduced, num_classes)"),
        ("head(h[:, :, i])", "head(h[:, :, 0])"),
        ('optimiser="nesterov"', 'optimiser="sgd"'),
        ("lr=backbone_rate", "lr=1.0"),
    ),
    *of(
        "layers/stripes.py",
        ("tests/systems/test_pcb.py",),
        (
            "reshape(batch, channels, parts, height // parts, width)",
            "reshape(batch, channels, height // parts, parts, width).mT",
        ),
        ("rows.mean((3, 4)", "rows.sum((3, 4)"),
    ),
    *of(
        "systems/svdnet.py",
        ("tests/systems/test_svdnet.py", "tests/training/test_phases.py", *SYSTEMS),
        ("columns = left * singular", "columns = left"),
        (" if cosine[old, new] >= 0 else -columns[:, new]", ""),
        ("likeness = cosine.abs()", "likeness = cosine.clone()"),
        ("        likeness[:, new] = -1.0\n", ""),
        ("found[:, old] = columns[:, new]", "found[:, new] = columns[:, new]"),
        ("gram.abs().sum()", "gram.sum()"),
        ("if phase == RESTRAINT:", "if phase == RELAXATION:"),
        ("last_stride=2", "last_stride=1"),
        ("                module.eval()\n", "                pass\n"),
        ('(RESTRAINT, rate, ("eigenlayer",))', "(RESTRAINT, rate)"),
        ('fixed = (*EARLY, "backbone.*.downsample.1")', "fixed = EARLY"),
        ("number < rri_early", "number <= rri_early"),
        ("lr=2.0, weight_decay=0.0", "lr=2.0"),
        ('metric = "euclidean"', 'metric = "cosine"'),
    ),
    *of(
        "systems/osnet.py",
        ("tests/systems/test_osnet.py", *SYSTEMS),
        (".sum(0)\n", ".mean(0)\n"),
        ("self.gate(stream(first))", "stream(first)"),
        ("range(1, STREAMS + 1)", "range(STREAMS)"),
        ("F.relu(self.last(mixed) + self.shortcut(x))", "self.last(mixed) + self.shortcut(x)"),
        ("self.last = linear(middle, out)", "self.last = convolution(middle, out, 1)"),
        ("means).relu()).sigmoid()", "means)).sigmoid()"),
        ("channels // REDUCTION, 1)\n        self.second", "channels, 1)\n        self.second"),
        (
            "nn.Conv2d(channels, channels, 1, bias=False),\n        nn.Conv2d",
            "nn.Conv2d(channels, channels, 1, bias=False),\n        nn.ReLU(),\n        nn.Conv2d",
        ),
        ("label_smoothing=self.label_smoothing)", "label_smoothing=0.0)"),
        ('"frozen": ("backbone",)', '"frozen": ()'),
        ('"sgd" if scratch else "amsgrad"', '"sgd" if scratch else "adam"'),
    ),
    *of(
        "systems/rpp.py",
        ("tests/systems/test_rpp.py", *SYSTEMS),
        ("(self.parts / masks.shape[2])", "(1 / masks.shape[2])"),
        (".softmax(1).flatten(2)", ".softmax(2).flatten(2)"),
        ("return means - means.mean((2, 3), keepdim=True)", "return means"),
        (
            "x.unflatten(1, (-1, GROUP)).mean(2)",
            "x.unflatten(1, (GROUP, -1)).mean(1)",
        ),
        ('if not key.startswith(f"{MASKS}.")', "if True"),
        ('("backbone", "reduction", "heads", "dropout")', '("backbone", "reduction", "heads")'),
    ),
    *of(
        "systems/ianet.py",
        ("tests/systems/test_ianet.py", *SYSTEMS),
        ("hardest(F.normalize(feature), labels)", "hardest(feature, labels)"),
        ("(d_ap**2 - d_an**2) / 2", "(d_ap - d_an)"),
        (
            "label_smoothing=self.label_smoothing)\n        return",
            "label_smoothing=0.0)\n        return",
        ),
        ("Attention(width(block), relation=relation)", "Attention(width(block))"),
        ('"feature": feature, "scores"', '"feature": feature * 2, "scores"'),
    ),
    *of(
        "attention/ianet.py",
        ("tests/attention/test_ianet_blocks.py", "tests/systems/test_ianet.py"),
        ("x.shape[1] ** -0.5", "x.shape[1] ** -1.0"),
        ("SPREAD * count) ** 2", "SPREAD * count)"),
        ("(flat @ flat.mT).softmax(2)", "(flat @ flat.mT).softmax(1)"),
        ("torch.kron(_near(height), _near(width))", "torch.kron(_near(width), _near(height))"),
        ("self.affinity(full).mT", "self.affinity(full)"),
        ("y = self.affinity(full) @", "y = self.affinity(full).mT @"),
    ),
    *of(
        "systems/mgn.py",
        ("tests/systems/test_mgn.py", *SYSTEMS),
        ("PARTS = (1, 2, 3)", "PARTS = (1, 3, 2)"),
        ('stripes(found, count, "max")', "stripes(found, count)"),
        ('stripes(found, 1, "max")', "stripes(found, 1)"),
        ("ResNet(backbone, last_stride=2)", "ResNet(backbone)"),
        (
            "            branch.load_state_dict(Branch(self.backbone).state_dict())\n",
            "            pass\n",
        ),
        ("scale=self.scale, margin=self.margin", "scale=self.scale"),
    ),
    *of(
        "systems/dare.py",
        ("tests/systems/test_dare.py", *SYSTEMS),
        ('batch_hard(phi, labels, margin="soft")', "batch_hard(phi, labels)"),
        ("ResNet(backbone, last_stride=2)", "ResNet(backbone)"),
        (' | {"fused": out["fused"]}', ""),
        ('"momentum": beta1', '"momentum": 0.9'),
        ('"gamma": 1e-3', '"gamma": 1e-2'),
        ("bias=False)\n        self.width", "bias=True)\n        self.width"),
    ),
    *of(
        "systems/alignedreid.py",
        ("tests/systems/test_alignedreid.py", *SYSTEMS),
        ("mined(whole, labels)", "mined(local.flatten(1), labels)"),
        ("feature_map.mean(3, keepdim=True", "feature_map.mean(2, keepdim=True"),
        ("- other.detach()) ** 2", "- other) ** 2"),
        ("(self.margin + d_ap - d_an)", "(d_ap - d_an)"),
        ("far - near).relu()", "near - far).relu()"),
        (
            '            self.peer["trunk"].load_state_dict(self.backbone.state_dict())\n',
            "            pass\n",
        ),
    ),
    *of(
        "losses/aligned.py",
        ("tests/losses/test_aligned.py",),
        ("(x / 2).tanh()", "x.tanh()"),
        ("((i - 1, j), (i, j - 1))", "((i - 1, j), (i, j - 1), (i - 1, j - 1))"),
        ("torch.minimum(", "torch.maximum("),
        ("best[rows - 1, columns - 1]", "best[rows - 1, 0]"),
    ),
    *of(
        "losses/consensus.py",
        ("tests/losses/test_consensus.py",),
        ("fused.detach()", "fused"),
        (" + (1 - wanted) * log_of_others(scores)", ""),
        (".scatter(1, best, others", ".scatter(1, best, 0 * others"),
    ),
    *of(
        "systems/dpfl.py",
        ("tests/systems/test_dpfl.py", *SYSTEMS),
        ("self.smaller(small)", "self.smaller(images)"),
        ('for name in ("large", "small")]', 'for name in ("large",)]'),
        ("self.weight * torch", "torch"),
        ("        self.smaller.load_state_dict(self.backbone.state_dict())\n", ""),
    ),
    *of(
        "systems/gpreid.py",
        ("tests/systems/test_gpreid.py", "tests/training/test_mining.py", *SYSTEMS),
        ("feature_map.amax((2, 3))", "feature_map.mean((2, 3))"),
        ("(margin + near - far).relu()", "(margin + far - near).relu()"),
        (".relu().mean() / 2", ".relu().mean()"),
        ("((query - other) ** 2).sum(1)", "((query - other) ** 2).sum(1).sqrt()"),
        ("return F.normalize(self._vector(images))", "return self._vector(images)"),
        ("                    module.eval()\n", "                    pass\n"),
        ("self.ranking.fill_(phase == RANKING)", "pass"),
        ('frozen=("head",)', "frozen=()"),
        ("gamma=0.5", "gamma=0.1"),
    ),
    *of(
        "training/mining.py",
        ("tests/training/test_mining.py",),
        ("np.argsort(-squared[far]", "np.argsort(squared[far]"),
        ("np.argsort(squared[near]", "np.argsort(-squared[near]"),
        ("np.argsort(-gaps", "np.argsort(gaps"),
        ("    same[query] = False\n", ""),
        ("(counts > 1) & ", ""),
        ('stream(data.seed, "pool", epoch)', 'stream(data.seed, "pool")'),
        ("    model.eval()\n", ""),
        ("            module.training = training\n", "            pass\n"),
        ('random.choice(np.argsort(-gaps, axis=None, kind="stable")[:hardest])', "np.argmax(gaps)"),
        ("- 2 * feature", "- feature"),
    ),
    *of(
        "layers/cells.py",
        ("tests/layers/test_cells.py", "tests/systems/test_every_system.py"),
        ("/ math.sqrt(body.shape[2])", ""),
        (".softmax(2) @ body", ".softmax(1) @ body"),
        ("member / member.sum(0)", "member"),
        ("[:, :, 1:, 1:]", "[:, :, :-1, :-1]"),
        ("count_include_pad=False", "count_include_pad=True"),
        ("depthwise(channels, stride, 2, affine)", "depthwise(channels, stride, 1, affine)"),
        ("states.append(one + other)", "states.append(one)"),
        ("2 if reduces and state < len(before) else 1)", "2 if reduces else 1)"),
        ("torch.cat([x, told", "torch.cat([told.to(x.dtype), told"),
    ),
    *of(
        "systems/autoreid.py",
        ("tests/systems/test_autoreid.py", *SYSTEMS),
        ('"ce": weight * ce', '"ce": ce'),
        ("(1 - weight) * batch_hard", "batch_hard"),
        ("[stage > 0] + [False]", "[False] + [False]"),
        ("[False, *halves[:-1]]", "halves"),
        ('[["max", 0], ["part", 1]]', '[["max", 1], ["part", 0]]'),
        ("cell or PUBLISHED", "PUBLISHED"),
    ),
    *of(
        "training/cell_search.py",
        ("tests/training/test_cell_search.py",),
        ('descend("alpha", second,', 'descend("alpha", first,'),
        ('descend("weights", first,', 'descend("weights", second,'),
        ("found[rows[::2]] = True", "found[rows] = True"),
        ("argsort(descending=True, stable=True)", "argsort(descending=False, stable=True)"),
        ("own(x) * weight", "own(x)"),
        (
            "value for own, value in moments(optimiser).items()}",
            "value for own, value in ()}",
        ),
        ("            optimiser.zero_grad()\n", "            pass\n"),
    ),
    *of(
        "systems/aacn.py",
        ("tests/systems/test_aacn.py", *SYSTEMS),
        ("blocks.mean((3, 5))", "blocks.amax((3, 5))"),
        (" / (height * width), weights", ", weights"),
        (".sigmoid()[..., None]", "[..., None]"),
        ("[:, len(JOINTS) :]", "[:, : -len(JOINTS)]"),
        ('frozen=("pose",),', ""),
        ("            weight.requires_grad = False\n", "            pass\n"),
        ("self.pose(images)[-1]", "self.pose(images)[0]"),
        ("average(feature_map)]", "average(feature_map) * 0]"),
    ),
    *of(
        "training/pose.py",
        ("tests/training/test_pose.py",),
        ("other[..., 0] = 1 - other[..., 0]", "pass"),
        ("joints[:, _MIRRORED].clone()", "joints.clone()"),
        (" * visible[..., None, None]]", "]"),
        ("inside & visible[:, rows].all(1)", "inside & visible[:, rows].any(1)"),
        (".clamp(0, 1)", ""),
        ("/ (2 * spread**2)", "/ spread**2 * 9"),
        (".mean() for maps in found]).sum()", ".mean() for maps in found]).mean()"),
        ("torch.tensor([width / height, 1.0])", "torch.tensor([1.0, 1.0])"),
    ),
    *of(
        "synthetic/picture.py",
        ("tests/synthetic/test_joints.py",),
        ("visible[inside] = ~hidden[row, column]", "visible[inside] = 1"),
        ("0.5 / len(axis)", "0"),
        ("(shares < 1)", "(shares < 2)"),
    ),
    *of(
        "synthetic/body.py",
        ("tests/synthetic/test_joints.py",),
        ("*(_turned(place, pose.lean) for place in upper)", "*upper"),
        (
            "arms = [_arm(person, pose, side) for side in SIDES]",
            "arms = [_arm(person, pose, -side) for side in SIDES]",
        ),
    ),
    *of(
        "layers/densenet.py",
        ("tests/systems/test_dare.py",),
        ("found[-1] = x.relu()", "found[-1] = x"),
    ),
    *of(
        "systems/hacnn.py",
        ("tests/systems/test_hacnn.py", *SYSTEMS),
        ("x = found * soft(found)", "x = found + soft(found)"),
        ("plain.append(found)", "plain.append(x)"),
        ("centre[:, 1].to(kind)", "centre[:, 0].to(kind)"),
        ("part if below is None else part + below", "part"),
        ("seen = (stem, *attended[:2])", "seen = (stem, *plain[:2])"),
        ("self.both(spatial * channel).sigmoid()", "self.both(spatial + channel).sigmoid()"),
        ("super().forward(average(x)).tanh()", "super().forward(average(x))"),
        ("torch.cat([F.normalize(found)", "torch.cat([found"),
        ("1 / len(CENTRES), centre", "1.0, centre"),
    ),
    *of(
        "layers/sampling.py",
        ("tests/layers/test_sampling.py",),
        ("(count - 1) / max(out - 1, 1)", "count / out"),
        (" + 0.5) * step - 0.5", ") * step"),
        ("weights / weights.sum(1, keepdim=True)", "weights"),
        (" + 1) * count - 1) / 2", " + 1) * (count - 1)) / 2"),
    ),
    *of(
        "layers/dropout.py",
        ("tests/layers/test_dropout.py",),
        (" / (1 - self.p)", ""),
        (">= self.p", "< self.p"),
        ('("dropout", name, *key)', '("dropout", *key)'),
        ("kept[ranks.share(len(kept))]", "kept[: len(x)]"),
    ),
    *of(
        "systems/ide.py",
        ("tests/systems/test_ide.py", "tests/commands/test_adopt.py", *SYSTEMS),
        ("nn.BatchNorm1d(hidden), nn.ReLU()", "nn.BatchNorm1d(hidden)"),
        ("self.width = hidden or self.backbone.channels", "self.width = self.backbone.channels"),
        ("ResNet(backbone, last_stride)", "ResNet(backbone)"),
        (
            "label_smoothing=self.label_smoothing)\n        return",
            "label_smoothing=0.0)\n        return",
        ),
        ('"frozen": ("backbone", "hidden")', '"frozen": ()'),
        ('optimiser="amsgrad"', 'optimiser="adam"'),
        ("nn.init.normal_(self.weight, std=0.01", "nn.init.normal_(self.weight, std=0.02"),
    ),
    *of(
        "formats/checkpoints/torchreid.py",
        ("tests/commands/test_adopt.py",),
        ('".streams.1."', '".streams.2."'),
        ('(r"\\.downsample\\.", ".shortcut."),\n', ""),
        ('".gate.first."', '".gate.second."'),
        ('(r"^fc\\.", "hidden."),', ""),
    ),
    *of(
        "formats/checkpoints/fastreid.py",
        ("tests/commands/test_adopt.py",),
        ("ceil=True", "ceil=False"),
        ("(bottleneck\\.0|bnneck)", "(bnneck)"),
        ("(classifier\\.)?weight", "weight"),
        ("pixel_mean|pixel_std", "pixel_.*|heads.*"),
    ),
    *of(
        "formats/checkpoints/timm.py",
        ("tests/commands/test_adopt.py",),
        ("last_stride=2", "last_stride=1"),
    ),
    *of(
        "formats/checkpoints/renaming.py",
        ("tests/commands/test_adopt.py",),
        ("torchreid.RESNET, timm.TIMM)", "timm.TIMM, torchreid.RESNET)"),
        ("            return _unwrapped(", "            return ("),
    ),
    *of(
        "formats/checkpoints/files.py",
        ("tests/commands/test_adopt.py",),
        ("not isinstance(name, str) or ", ""),
        ("if value.layout != torch.strided:", "if False:"),
        ("bool(value.isfinite().all())", "True"),
        ("value.dim() == 0 or ", "True or "),
        ("weights_only=True", "weights_only=False"),
    ),
    *of(
        "training/architectures.py",
        ("tests/commands/test_adopt.py",),
        ("if tensors[key].shape != expected[key]]", "if False]"),
        (" if COUNTERS not in k)", ")"),
        ("not self.missing and not self.unknown", "not self.missing"),
        ("(found.fitting, -len(found.missing), -len(found.unknown))", "-len(found.missing)"),
    ),
    *of(
        "commands/adopt.py",
        ("tests/commands/test_adopt.py",),
        ("(1 if HIDDEN in tensors else base.last_stride)", "base.last_stride"),
        ("    if stride != 1:", "    if False:"),
        ("    _check_left(path, found)\n", ""),
        ("atol=1e-3):", "atol=1e9):"),
        ("len(found.tensors[HEAD]) if HEAD in found.tensors else None", "None"),
        ("trunk + CEIL if ceil", "trunk if ceil"),
    ),
    *of(
        "commands/export/embedder.py",
        ("tests/commands/test_export.py",),
        ("pixels.flip(3)", "pixels.flip(2)"),
        ("self.model.embed(pixels.flip(3))) / 2", "self.model.embed(pixels.flip(3)))"),
        ('images if self.kind == "float" else normalise(images)', "normalise(images)"),
        ("nn.functional.normalize(embedding) if self.unit else embedding", "embedding"),
    ),
    *of(
        "commands/export/agreement.py",
        ("tests/commands/test_export.py",),
        ("ours - theirs <= MAP_TOLERANCE", "theirs - ours <= MAP_TOLERANCE"),
        ("(walked.cummax(dim=1).values - walked).max()", "(walked - walked).max()"),
        (
            "1 - unit[:queries] @ unit[queries:].T",
            "-(embedding[:queries] @ embedding[queries:].T).double()",
        ),
        ("return 2 * found / found.max()", "return found"),
        ("camid[place], pid[queries:]", "camid[place] + 1, pid[queries:]"),
        ("near and cheap and ", "cheap and "),
    ),
    *of(
        "commands/export/running.py",
        ("tests/commands/test_export.py",),
        ("[: len(part)]", ""),
        ("images[torch.arange(batch or 2) % len(images)]", "images[: batch or 2]"),
        ("size = batch or DYNAMIC", "size = DYNAMIC"),
    ),
    *of(
        "commands/export/sample.py",
        ("tests/commands/test_export.py",),
        ("*gallery[matching].tolist(), ", ""),
        ("gallery[~matching]", "gallery"),
        ('if rows["pid"].tolist() != written.pid.tolist():', "if False:"),
        ("flip=written.flip", "flip=False"),
    ),
    *of(
        "evaluation/matching.py",
        ("tests/evaluation/test_matching.py",),
        ("            unsure.update(found)\n", ""),
        ("row_of.setdefault(found[0], row) != row", "row_of.setdefault(found[0], row) < 0"),
        ('for name in ("query", "gallery")])', 'for name in ("gallery", "query")])'),
        ('tested = split[split["subset"] != "train"]', "tested = split"),
        ("rows[own.pid < 0]", "rows[own.pid < -1]"),
        ("        if one != other:\n", "        if False:\n"),
        ("self._ends.get(path) or next(longer, [])", "self._ends.get(path, [])"),
        ("~embedding.isfinite().all(dim=1)", "embedding.isnan().all(dim=1)"),
        ("(embedding == 0).all(dim=1)", "(embedding < 0).all(dim=1)"),
    ),
    *of(
        "commands/spread/tasks.py",
        ("tests/commands/spread/test_tasks.py",),
        ("not needed[stage].isdisjoint(stale) or ", ""),
        (" - {*inside}", ""),
        ("for s in (stage, *needed[stage])}", "for s in (stage,)}"),
        (" & names\n", "\n"),
        ("            rest += stages[one]\n", ""),
        ("item\n    return f", "stage\n    return f"),
    ),
    *of(
        "commands/search/distances.py",
        ("tests/commands/test_search_query.py", "tests/commands/test_search_index.py"),
        ("total += block.sum(dim=0)", "total = block.sum(dim=0)"),
        ("return total / len(query)", "return total"),
        ("    found[list(gallery.unreadable)] = torch.inf\n", ""),
    ),
    *of(
        "commands/search/query.py",
        ("tests/commands/test_search_query.py",),
        ("right > image.width or lower > image.height", "right > image.width"),
        ("(box.x, box.y, right, lower)", "(box.x, box.y, lower, right)"),
        ("if box.width and box.height:", "if box.width:"),
        (
            "boxes if len(boxes) > 1 else list(boxes) * len(queries)",
            "list(boxes)[:1] * len(queries)",
        ),
        ("not in {1, len(queries)}", "not in {len(queries)}"),
    ),
    *of(
        "training/phases.py",
        ("tests/training/test_phases.py", "tests/systems/test_osnet.py"),
        ("            part.eval()\n", ""),
        ('rate * group["factor"]', "rate"),
        ("phase.weight_decay * own.weight_decay", "phase.weight_decay"),
        ("name in learnable and ", ""),
        ("nesterov=nesterov, ", ""),
        ('amsgrad = phase.optimiser == "amsgrad"', "amsgrad = False"),
    ),
    *of(
        "training/loop.py",
        ("tests/training/test_phases.py",),
        ("            if not begins:", "            if True:"),
        (
            "            if begins:\n                model.begin(phase.name)\n",
            "            model.begin(phase.name)\n",
        ),
        ("position.epoch - first, position.step", "position.epoch, position.step"),
        (
            "draw_from(self.model, self.seed, position.epoch, position.step)",
            "draw_from(self.model, self.seed, 0, 0)",
        ),
        ("position.step == count:  # it", "position.step == -1:  # it"),
    ),
]


def main(files: list[str]) -> None:
    unseen = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for path in ROOT.iterdir():
            if path.name not in {"reidpipe", ".git", ".resume", ".pytest_cache"}:
                (copy / path.name).symlink_to(path)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "reidpipe", copy / "reidpipe", ignore=ignored)
        for mutation in MUTATIONS:
            if not files or Path(mutation.file).name in files:
                seen = first_failure(mutation, copy)
                unseen += not seen
                shown = {"file": mutation.file, "old": mutation.old, "new": mutation.new}
                print(json.dumps({"benchmark": "mutations", **shown, "seen_by": seen}), flush=True)
    sys.exit(1 if unseen else 0)


def first_failure(mutation: Mutation, copy: Path) -> str | None:
    """The first test that fails with the mutation; None where all pass."""
    path = copy / "reidpipe" / mutation.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        sys.exit(f"{mutation.file} has not one but {text.count(mutation.old)} of {mutation.old!r}")
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-m", "not slow and not paper"]
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider", *mutation.tests],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        path.write_text(text, encoding="utf-8")
    failed = _FAILED.search(done.stdout)
    if done.returncode and not failed:
        sys.exit(done.stdout + done.stderr)
    return failed[1] if failed else None


if __name__ == "__main__":
    main(sys.argv[1:])
