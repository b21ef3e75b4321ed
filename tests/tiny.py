"""Tiny networks for tests with hand-written answers: a cfg without [net], an image that fits, the last layer's output.

`COPY` is a layer that changes nothing, so that a test can have its image as a layer to refer to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from goldens import run_layers
from numpy.typing import ArrayLike

from darknet_py.darknet.compile import Compilation, compile_cfg
from darknet_py.errors import Diagnostic

COPY = "[upsample]\nstride=1\n"
TIMES_10 = "[upsample]\nstride=1\nscale=10\n"


def compiled(cfg: str, shape: Sequence[int], dialect: str | None = None) -> Compilation:
    """A cfg without [net] for an image of (channels, height, width)."""
    net = "[net]\nchannels={}\nheight={}\nwidth={}\n".format(*shape)
    return compile_cfg(net + cfg, dialect=dialect)


def output(cfg: str, image: ArrayLike, weights: Sequence[ArrayLike] = (), dialect: str | None = None) -> np.ndarray:
    """What the last layer makes of a (channels, height, width) image; one array for each parameter, in file order."""
    x = np.asarray(image, np.float32)
    graph = compiled(cfg, x.shape, dialect).check().graph
    arrays = {p.value: np.reshape(np.asarray(w, np.float32), p.value.shape)
              for p, w in zip(graph.params, weights, strict=True)}  # fmt: skip
    (layers,) = run_layers(graph.with_data(arrays), [x[None]])
    return layers[max(layers)]


def diagnosed(cfg: str, shape: Sequence[int] = (4, 4, 4), dialect: str | None = None) -> Diagnostic:
    """The one problem of a cfg that has one, beside a guessed dialect and an image of one pixel."""
    (problem,) = [d for d in compiled(cfg, shape, dialect).diagnostics if d.code not in ("DK310", "DK306")]
    return problem


def counting(*shape: int) -> np.ndarray:
    """0, 1, 2, … in a shape."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
