"""Which dialect a file is written in, from its own evidence.

Decision: AlexeyAB's, unless the file itself says otherwise beyond doubt; a guess is always reported with the line it
rests on. The evidence is a section that only another program knows, a box or a shape that only another program
computes in a file without anything of AlexeyAB's own, or an activation that no Darknet in C knows together with heads
as WongKinYiu's PyTorch code ignores them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from ..errors import Code, Diagnostics, Span
from .cfg import Cfg, Section
from .cfg.options import schema
from .cfg.values import atoi
from .dialects import ALEXEYAB, DIALECTS, PJREDDIE, PYTORCH, Dialect
from .layers import LAYERS
from .layers.heads.head import Head
from .layers.net import NET_SECTIONS

BOX = 4  # numbers of a box that every Darknet reads
PYTORCH_SCALE = "1.05"  # scale_x_y of every head in PyTorch_YOLOv4's and yolor's cfgs, whose code does not read it
# What pjreddie's parser.c does not read in [net] (parse_net_options) and in heads (parse_yolo, parse_region), and the
# activations that his activations.c does not know.
ALEXEYABS_NET = frozenset(
    "letter_box mosaic mosaic_bound cutmix mixup blur gaussian_noise ema_alpha optimized_memory workspace_size_limit_MB"
    " dynamic_minibatch label_smooth_eps sgdr_cycle seq_scales use_cuda_graph track contrastive loss_scale".split()
)
ALEXEYABS_HEADS = frozenset(
    "scale_x_y new_coords nms_kind beta_nms iou_loss iou_normalizer cls_normalizer obj_normalizer iou_thresh max_delta"
    " resize counters_per_class objectness_smooth label_smooth_eps focal_loss".split()
)
ALEXEYABS_ACTIVATIONS = frozenset(
    "mish hard_mish swish relu6 gelu revleaky normalize_channels normalize_channels_softmax"
    " normalize_channels_softmax_maxval".split()
)
DEEP = 60  # convolutions: yolov4-tiny-3l, whose heads say 1.05 too and mean it, has 24; yolov4-csp-s has 74


def infer_dialect(cfg: Cfg, found: Diagnostics) -> Dialect:
    """The dialect of a file; a warning where it is not AlexeyAB's, a note where it may well not be."""
    dialect, why, span = next(_evidence(cfg), (ALEXEYAB, "", None))
    if dialect is not ALEXEYAB:
        report_dialect(dialect, why, span, found)
        return dialect
    heads = _heads_at_pytorch_scale(cfg)
    if len(heads) >= 3 and sum(map(_is_convolution, cfg.sections)) >= DEEP:
        message = f"scale_x_y={PYTORCH_SCALE} in all heads of a deep network: read as {dialect.title} does"
        hint = f"if it comes from PyTorch_YOLOv4 or yolor, say --dialect {PYTORCH.name}: they decode boxes differently"
        found.note(Code.DIALECT, message, heads[0].span, hint)
    return dialect


def report_dialect(dialect: Dialect, why: str, span: Span | None, found: Diagnostics) -> None:
    """Warn that a file is read in another dialect than AlexeyAB's, and why."""
    hint = f"--dialect {dialect.name} says so without a warning"
    found.warning(Code.DIALECT, f"{why}: reading the file in the dialect of {dialect.title}", span, hint)


def may_be_pjreddies(cfg: Cfg) -> bool:
    """Whether a file says nothing that only AlexeyAB's Darknet understands."""
    return not any(_is_alexeyabs(section) for section in cfg.sections)


def _is_alexeyabs(section: Section) -> bool:
    if section.name in NET_SECTIONS:
        return any(section.find(key) for key in ALEXEYABS_NET)
    cls, other = _classes(section)
    if cls is None or other is None:
        return cls is not None
    activation = section.find("activation")
    if activation and activation.value in ALEXEYABS_ACTIVATIONS:
        return True
    unknown = schema(cls).keys() - schema(other).keys() | (ALEXEYABS_HEADS if issubclass(cls, Head) else set())
    several = section.name == "shortcut" and (source := section.find("from")) and "," in (source.value or "")
    return bool(several) or any(section.find(key) for key in unknown)


def report_silu(cfg: Cfg, dialect: Dialect, found: Diagnostics) -> None:
    """Say, once a file, that C programs take 'silu' for ReLU (activations.c get_activation) where it means swish."""
    options = [o for s in cfg.sections[1:] if (o := s.find("activation")) and o.value == "silu"]
    if dialect is PYTORCH or not options:
        return
    became = "relu" if found.as_darknet else "swish"
    message = f"{dialect.title} does not know 'silu' and takes ReLU; read as {became!r} in {len(options)} places"
    found.warning(Code.UNKNOWN_ACTIVATION, message, options[0].value_span, "Darknet's name for it is 'swish'")


def _evidence(cfg: Cfg) -> Iterator[tuple[Dialect, str, Span]]:
    for section in cfg.sections[1:]:
        owners = section_dialects(section.name)
        if owners and ALEXEYAB.name not in owners:
            dialect = DIALECTS[owners[0]]
            yield dialect, f"only {dialect.title} knows [{section.name}]", section.span
    if may_be_pjreddies(cfg):
        yield from _behaviour(cfg)
    if not _heads_at_pytorch_scale(cfg):
        return
    for section in cfg.sections[1:]:
        activation = section.find("activation")
        if activation is not None and activation.value == "silu":
            why = f"no Darknet knows 'silu', and the heads have scale_x_y={PYTORCH_SCALE} without new_coords"
            yield PYTORCH, why, activation.value_span


def _classes(section: Section) -> tuple[Any, Any]:
    """What a section is in AlexeyAB's Darknet and in pjreddie's; None where one does not know it."""
    return LAYERS.get((section.name, ALEXEYAB.name)), LAYERS.get((section.name, PJREDDIE.name))


def _behaviour(cfg: Cfg) -> Iterator[tuple[Dialect, str, Span]]:
    """What pjreddie's Darknet computes, and AlexeyAB's takes other numbers for."""
    for section in cfg.sections[1:]:
        coords = section.find("coords") if section.name == "region" else None
        if coords is not None and atoi(coords, BOX) > BOX:
            yield PJREDDIE, f"only {PJREDDIE.title} reads a box of {coords.value} numbers", coords.span


def section_dialects(name: str) -> tuple[str, ...]:
    """The names of the dialects that know a section."""
    return _owners().get(name, ())


@cache
def _owners() -> dict[str, tuple[str, ...]]:
    return {section: tuple(d for name, d in LAYERS if name == section) for section, _ in LAYERS}


def _is_convolution(section: Section) -> bool:
    layer = LAYERS.get((section.name, ALEXEYAB.name))
    return layer is not None and layer.family == "convolution"


def _heads_at_pytorch_scale(cfg: Cfg) -> list[Section]:
    """The [yolo] sections, if all of them look as in PyTorch_YOLOv4's and yolor's cfgs; else none."""
    heads = [s for s in cfg.sections if s.name == "yolo"]
    alike = all(_is(s, "scale_x_y", PYTORCH_SCALE) and not s.find("new_coords") for s in heads)
    return heads if alike else []


def _is(section: Section, key: str, value: str) -> bool:
    option = section.find(key)
    return option is not None and option.value == value
