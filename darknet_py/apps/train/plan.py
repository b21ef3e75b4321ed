"""What is trained on what, and how: everything that is known before the first picture is read.

Decision: one frozen value, from the cfg, the data and the options. What Darknet takes from a cfg comes from the cfg;
options of the call stand above it. What goes beyond Darknet has a name of its own, is off by default, and is part of
what the run writes down.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ... import version
from ...analysis.evaluate.score import check_rules
from ...darknet.compile import Compilation, compile_cfg, examined_for_training, read_cfg_file
from ...darknet.layers.layer import Layer
from ...darknet.layers.net import Net
from ...darknet.network import tell_warnings
from ...darknet.reading import Reading
from ...errors import CfgError, DataError, Say, counted, told_once
from ...files import is_file
from ...zoo.find import find_network
from ...zoo.names import NAMES_KEYS, find_names, read_options
from . import schedule
from .data.options import last_head
from .data.sizes import Sizes
from .data.source import PictureSource

SCHEMA = "darknet-py/training-run/1"
SAVE_LAST, SAVE_EACH, SAVE_EACH_OF_MANY, MANY = 100, 1000, 10000, 10000  # iterations (detector.c train_detector)
PASSING = ("iterations", "per_sample", "fresh", "save_seconds", "workers", "threads")  # what makes no other training
LEAST = (
    ("seed", 0), ("workers", 0), ("freeze", 0), ("threads", 1), ("iterations", 1), ("map_epochs", 1), ("map_each", 1),
)  # fmt: skip
OPTIMIZERS, SCHEDULES, PRECISIONS = ("darknet", "adamw"), ("darknet", "cosine"), ("float32", "bf16")


@dataclass(frozen=True)
class Settings:
    """The options of a training that no cfg has, or that stand above it (None: as the cfg says).

    `seed` of everything random; `batch` and `subdivisions` as in [net]; `iterations` after which it stops (not
    `max_batches`: the learning rate goes on as if more came); `freeze` layers that are not trained; `map_` to measure
    on the validation pictures, each `map_epochs` times through the data, at an overlap of `iou_thresh` with `points`;
    `save_seconds` between two states at most. `precision` 'bf16' computes products in bfloat16. Beyond Darknet:
    `sizes`, pairs of the iteration that a side begins with and that side, in the place of the cfg's; `ema`, the share
    that a running mean of all that is learned keeps in each iteration, which is what is measured, and saved as best and
    final; `map_each`, the iterations between two measurements;
    `optimizer` 'adamw', `schedule` 'cosine', `clip_norm` of all gradients, `per_sample` costs in the log.
    """

    seed: int = 0
    device: str = "cpu"
    precision: str = "float32"
    threads: int | None = None
    workers: int = 1
    batch: int | None = None
    subdivisions: int | None = None
    max_batches: int | None = None
    iterations: int | None = None
    freeze: int = 0
    clear: bool = False
    fresh: bool = False
    map_: bool = False
    map_epochs: int = 4
    iou_thresh: float = 0.5
    points: int = 0
    save_seconds: float = 300.0
    sizes: tuple[tuple[int, int], ...] = ()
    ema: float | None = None
    map_each: int | None = None
    optimizer: str = "darknet"
    schedule: str = "darknet"
    clip_norm: float | None = None
    per_sample: bool = False

    def __post_init__(self) -> None:
        for name, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise DataError(f"{name} is one of {', '.join(known)}, not {getattr(self, name)!r}")
        for name, least in LEAST:
            value = getattr(self, name)
            if value is not None and value < least:
                raise DataError(f"{name}={value}: not less than {least} is meant")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise DataError(f"clip_norm={self.clip_norm} is a norm: more than 0")
        if self.sizes and (self.sizes[0][0] != 0 or sorted(self.sizes) != [*self.sizes]):
            raise DataError(f"sizes={self.sizes}: pairs of iteration and side, the first iteration 0, each later")
        check_rules(self.points, self.iou_thresh)
        if self.ema is not None and not 0 < self.ema < 1:
            raise DataError(f"ema={self.ema} is the share that a mean keeps: more than 0 and less than 1")

    def beyond_darknet(self) -> tuple[str, ...]:
        """What of it Darknet does not have, in words."""
        said = [f"{k}={v}" for k, v in (("optimizer", self.optimizer), ("schedule", self.schedule)) if v != "darknet"]
        more = [("clip_norm", self.clip_norm), ("per_sample", self.per_sample), ("ema", self.ema)]
        said += [f"{side}x{side} from iteration {first} on" for first, side in self.sizes]
        return (*said, *(f"{name}={value:g}" for name, value in more if value))


@dataclass(frozen=True, eq=False)
class Plan:
    """A training before it begins. `text` is the cfg as it was read, `net` its [net] with the settings in it."""

    cfg: Path
    text: bytes
    compilation: Compilation
    net: Net
    data: Path | PictureSource
    options: Mapping[str, str]
    names: tuple[str, ...]
    weights: Path | None
    backup: Path
    valid: Path | None
    reading: Reading
    settings: Settings

    @property
    def name(self) -> str:
        """What its files begin with: the cfg's name without its suffix."""
        return self.cfg.name.removesuffix(".cfg")

    def path(self, kind: object, suffix: str = "weights") -> Path:
        """The file of a kind in the backup folder, as Darknet names it: my_last.weights, my_1000.weights."""
        return self.backup / f"{self.name}_{kind}.{suffix}"

    @cached_property
    def mini_batch(self) -> int:
        """Pictures that are computed at a time."""
        return self.net.batch // self.net.subdivisions

    @property
    def head(self) -> Layer:
        """The layer whose options say how pictures are changed (detector.c: l = net.layers[net.n - 1])."""
        return last_head(self.compilation)

    def at(self, size: tuple[int, int]) -> Compilation:
        """The same cfg compiled for pictures of another (height, width); what became of its file does not matter."""
        compilation = _compiled(self.cfg, self.text, replace(self.reading, size=size))
        return replace(compilation, net=replace(self.net, height=size[0], width=size[1]))

    @property
    def last(self) -> int:
        """The iteration that this run ends after; the training itself may be longer."""
        return min(self.net.max_batches, self.settings.iterations or self.net.max_batches)

    @property
    def save_last(self) -> int:
        """Iterations between two `_last` files."""
        return self._number("savelast", SAVE_LAST)

    @property
    def save_each(self) -> int:
        """Iterations between two files that stay."""
        return self._number("saveweights", SAVE_EACH if self.net.max_batches < MANY else SAVE_EACH_OF_MANY)

    def _number(self, key: str, default: int) -> int:
        written = self.options.get(key, "")
        return max(1, int(written)) if written.isdigit() else default

    def written_down(self) -> dict[str, Any]:
        """What lies beside the weights: versions, options and fingerprints, as plain data."""
        import torch

        return {
            "schema": SCHEMA,
            "cfg": str(self.cfg),
            "cfg_sha256": hashlib.sha256(self.text).hexdigest(),
            "data": str(self.data),
            "weights": str(self.weights) if self.weights else None,
            "size": list(self.reading.size) if self.reading.size else None,
            "dialect": self.compilation.dialect.name,
            "settings": {k.rstrip("_"): _plain(v) for k, v in vars(self.settings).items() if k not in PASSING},
            "beyond_darknet": list(self.settings.beyond_darknet()),
            "versions": {
                "darknet-py": version.VERSION,
                "torch": str(torch.__version__),
                "python": platform.python_version(),
            },
        }


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return [list(pair) for pair in value] if isinstance(value, tuple) else value


def read_plan(
    cfg: str | Path,
    data: str | Path | PictureSource,
    weights: str | Path | None = None,
    *,
    backup: str | Path | None = None,
    valid: str | Path | None = None,
    names: str | Path | None = None,
    reading: Reading | None = None,
    settings: Settings | None = None,
    say: Say | None = None,
) -> Plan:
    """Read a cfg and what is to be trained on. Raises `DarknetError` for what cannot be trained, with the remedy.

    `data` is what `open_dataset` takes, or a source of pictures that are made; a .data file also says where weights are
    written (`backup=`; else the folder backup). `valid` are the pictures that it is measured on, where no .data file
    says so. `weights` are Darknet's, of all layers or of the first ones, or none: random numbers. `say` is told what is
    doubtful about the cfg.
    """
    settings, reading = settings or Settings(), reading or Reading()
    data = Path(data) if isinstance(data, str) else data
    found = find_network(cfg, trained=False)
    text = read_cfg_file(found.cfg)
    compilation = _compiled(found.cfg, text, reading)
    tell_warnings(compilation, say)
    _examine_values(compilation, reading, say)
    options = read_options(data) if isinstance(data, Path) and data.suffix == ".data" and is_file(data) else {}
    contract_classes = max((d.classes for d in compilation.decoders), default=0)
    named = names or (data if isinstance(data, Path) and any(map(options.get, NAMES_KEYS)) else None)
    known = find_names(
        contract_classes or compilation.graph.outputs[-1].shape[0], found.cfg, named, classifier=not contract_classes
    )
    if say:
        for note in known.notes:
            say(note)
    net = _with_settings(compilation.net, settings)
    plan = Plan(
        found.cfg, text, compilation, net, data, options, known.names, Path(weights) if weights else None,
        Path(backup or options.get("backup") or "backup"), Path(valid) if valid else None, reading, settings,
    )  # fmt: skip
    _refuse_untrainable(plan)
    return plan


def _examine_values(compilation: Compilation, reading: Reading, say: Say | None) -> None:
    """Raise `CfgError` for options of training whose values cannot be read, and say what else is doubtful of them."""
    found = examined_for_training(compilation, reading)
    found.check()
    if say:
        for diagnostic in told_once(found.sorted()):
            say(str(diagnostic))


def _compiled(cfg: Path, text: bytes, reading: Reading) -> Compilation:
    return compile_cfg(text, str(cfg), folder=str(cfg.parent), **vars(reading)).check()


def _with_settings(net: Net, settings: Settings) -> Net:
    chosen = {k: v for k in ("batch", "subdivisions", "max_batches") if (v := getattr(settings, k)) is not None}
    return replace(net, **chosen)


def _refuse_untrainable(plan: Plan) -> None:
    net, graph = plan.net, plan.compilation.graph
    if net.batch < 2:  # detector.c train_detector refuses it too: batch normalization of one picture learns nothing
        raise DataError(
            f"{plan.cfg}: batch={net.batch} is for detection\n"
            "  hint: set batch=64 and subdivisions=16 to train (--batch 64 --subdivisions 16)"
        )
    if net.subdivisions < 1 or net.batch % net.subdivisions:
        raise DataError(
            f"{plan.cfg}: a batch of {net.batch} cannot be computed in {net.subdivisions} equal parts\n"
            "  hint: set subdivisions to a divisor of batch (--subdivisions)"
        )
    if net.max_batches < 1:
        raise DataError(f"{plan.cfg}: no max_batches\n  hint: say how many iterations with --max-batches 6000")
    if not net.max_chart_loss > 0:
        raise DataError(f"{plan.cfg}: max_chart_loss={net.max_chart_loss:g} is the top of the chart: more than 0")
    if plan.settings.schedule == "darknet":
        _refuse_policy(plan)
    if graph.states:
        section = next(i for i in graph.layers if i.index == _layer_of_state(plan))
        raise DataError(
            f"{plan.cfg}: layer {section.index} [{section.section}] remembers what it saw, and sequences are not "
            "trained here\n  hint: darknet_py.torch.module makes a PyTorch module of it for a loop of your own"
        )
    for key in ("contrastive", "unsupervised", "track", "adversarial_lr"):
        if getattr(net, key):
            raise DataError(f"{plan.cfg}: {key}={getattr(net, key)} is not trained here\n  hint: take the line out")
    if plan.settings.freeze > len(graph.layers):
        raise DataError(f"freeze={plan.settings.freeze}: the network has {counted(len(graph.layers), 'layer')}")
    _refuse_sizes(plan)


def _refuse_sizes(plan: Plan) -> None:
    """Raise `DataError` for a size that the network cannot have: its turn may come after days."""
    sizes = Sizes.of(plan.net, plan.head, seed=0, batch=plan.mini_batch, grows=plan.settings.sizes)
    if sizes.random and not sizes.step >= 1:
        raise DataError(f"{plan.cfg}: resize_step={sizes.step:g} is no number of pixels: 32 is usual")
    for height, width in sizes.all():
        if (height, width) == (plan.net.height, plan.net.width):
            continue
        try:
            plan.at((height, width))
        except CfgError as e:
            said = f"sizes={plan.settings.sizes}" if sizes.grows else f"random={sizes.random:g}"
            raise DataError(
                f"{plan.cfg}: with {said}, pictures of {width}x{height} would come\n{e}\n"
                "  hint: set resize_step= in [net] to the stride of the deepest layer, or leave other sizes out"
            ) from None


def _refuse_policy(plan: Plan) -> None:
    try:
        schedule.rate(plan.net, max(1, plan.net.burn_in), plan.settings.seed)  # the first one after the burn-in
    except DataError as e:
        raise DataError(f"{plan.cfg}: {e}") from None


def _layer_of_state(plan: Plan) -> int:
    graph = plan.compilation.graph
    producers = graph.producers()
    return producers[graph.states[0].output].layer
