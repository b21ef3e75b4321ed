"""Which dialect a file is written in, from its own evidence.

Decision: AlexeyAB's, unless the file itself says otherwise beyond doubt; a guess is always reported with the line it
rests on. The evidence is a section that only another program knows, or an activation that no Darknet in C knows
together with heads as WongKinYiu's PyTorch code ignores them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from ..errors import Code, Diagnostics, Span
from .cfg import Cfg, Section
from .dialects import ALEXEYAB, DIALECTS, PYTORCH, Dialect
from .layers import LAYERS

PYTORCH_SCALE = "1.05"  # scale_x_y of every head in PyTorch_YOLOv4's and yolor's cfgs, whose code does not read it
DEEP = 60  # convolutions: yolov4-tiny-3l, whose heads say 1.05 too and mean it, has 24; yolov4-csp-s has 74


def infer_dialect(cfg: Cfg, found: Diagnostics) -> Dialect:
    """The dialect of a file; a warning where it is not AlexeyAB's, a note where it may well not be."""
    dialect, why, span = next(_evidence(cfg), (ALEXEYAB, "", None))
    if dialect is not ALEXEYAB:
        hint = f"--dialect {dialect.name} says so without a warning"
        found.warning(Code.DIALECT, f"{why}: reading the file in the dialect of {dialect.title}", span, hint)
        return dialect
    heads = _heads_at_pytorch_scale(cfg)
    if len(heads) >= 3 and sum(map(_is_convolution, cfg.sections)) >= DEEP:
        message = f"scale_x_y={PYTORCH_SCALE} in all heads of a deep network: read as {dialect.title} does"
        hint = f"if it comes from PyTorch_YOLOv4 or yolor, say --dialect {PYTORCH.name}: they decode boxes differently"
        found.note(Code.DIALECT, message, heads[0].span, hint)
    return dialect


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
        owners = _owners().get(section.name, ())
        if owners and ALEXEYAB.name not in owners:
            dialect = DIALECTS[owners[0]]
            yield dialect, f"only {dialect.title} knows [{section.name}]", section.span
    if not _heads_at_pytorch_scale(cfg):
        return
    for section in cfg.sections[1:]:
        activation = section.find("activation")
        if activation is not None and activation.value == "silu":
            why = f"no Darknet knows 'silu', and the heads have scale_x_y={PYTORCH_SCALE} without new_coords"
            yield PYTORCH, why, activation.value_span


@cache
def _owners() -> dict[str, tuple[str, ...]]:
    """The dialects of each section."""
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
