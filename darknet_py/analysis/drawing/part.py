"""A part of a drawing: some layers of a network, and what they read, for pictures of one stage or one head.

Decision: a part is cut out of the drawing of the whole network, so boxes, roles and numbers are the same in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...errors import DataError
from .drawing import Box, Drawing, stages_of


def part_of(drawing: Drawing, first: int, last: int) -> Drawing:
    r"""The boxes that hold any of the layers `first` to `last`; the layers outside that they read become inputs.

    Raises `DataError` if there is no such box: layers that compute nothing are not drawn.

    >>> from darknet_py.analysis.drawing.drawing import draw
    >>> from darknet_py.darknet.compile import compile_cfg
    >>> cfg = "[net]\nwidth=8\nheight=8\nchannels=4\n" + 3 * "[maxpool]\nstride=2\n"
    >>> [box.title for box in part_of(draw(compile_cfg(cfg).graph), 1, 2).boxes]
    ['layer 0', 'maxpool 2/2', 'maxpool 2/2']
    """
    wanted = set(range(first, last + 1))
    kept = [i for i, box in enumerate(drawing.boxes) if wanted & set(box.layers)]
    if not kept:
        raise DataError(f"nothing to draw: no layer from {first} to {last} computes anything")
    whole = _whole_blocks(drawing, kept)
    order = _with_sources(drawing, kept)
    boxes = [_kept(drawing.boxes[i], whole) if i in kept else _input(drawing.boxes[i]) for i in order]
    at = {old: new for new, old in enumerate(order)}
    arrows = tuple((at[a], at[b]) for a, b in drawing.arrows if b in kept)
    idle = {i for stage in drawing.stages for i in stage.layers} - {i for box in drawing.boxes for i in box.layers}
    layers = [layer for i in kept for layer in drawing.boxes[i].layers]
    stages = stages_of(boxes, drawing.boxes[0].shape[1:], idle)
    return Drawing(drawing.title, tuple(boxes), arrows, stages, (min(layers), max(layers)))


def _with_sources(drawing: Drawing, kept: Sequence[int]) -> list[int]:
    """The positions of what is drawn: each source from outside stands before its first reader."""
    order: list[int] = []
    for i in kept:
        order += [a for a, b in drawing.arrows if b == i and a not in kept and a not in order]
        order.append(i)
    return order if order[0] not in kept else [0, *order]


def _whole_blocks(drawing: Drawing, kept: Sequence[int]) -> set[int]:
    """The CSP blocks all of whose boxes are drawn: the others get no frame."""
    cut = {box.csp for i, box in enumerate(drawing.boxes) if i not in kept}
    return set(drawing.csp_blocks) - cut


def _kept(box: Box, whole: set[int]) -> Box:
    return box if box.csp in whole else replace(box, csp=None)


def _input(box: Box) -> Box:
    """What stands for a box that is not drawn itself: the number of its last layer, and its output."""
    return Box((), "image", f"layer {max(box.layers)}", box.shape) if box.layers else box
