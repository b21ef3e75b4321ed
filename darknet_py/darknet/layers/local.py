"""[local]: a convolution with kernels of their own at every place (the first YOLO has one).

Decision: the places become groups. The windows are cut out by strided slices, stacked as channels of one size x size
image, and a grouped convolution uses the weights in the very order of the file.
"""

from __future__ import annotations

from ...errors import Code
from ...ir.graph import Value
from ..cfg.options import opt
from .activations import activate
from .convolutional import MAX_CHANNELS
from .layer import Layer, LayerError, Lowered, activation, image, layer
from .lowering import Lowering

MAX_SIZE = 64  # of a kernel, which takes some operations for each of its taps; published networks have 3


@layer
class Local(Layer):
    """`filters` kernels of size x size for every place of the output, a bias for every number of it, an activation."""

    sections = ("local",)

    filters: int = opt(1, "number of kernels at each place", low=1, high=MAX_CHANNELS)
    size: int = opt(1, "height and width of a kernel", low=1, high=MAX_SIZE)
    stride: int = opt(1, "step between windows", low=1, high=4096)
    pad: int = opt(0, "zeros on each side; where not 0 it must keep the size of the image", low=0, high=4096)
    activation: str = activation("logistic")

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x = inputs[0]
        channels, height, width = image(x)
        h, w = self._places(height), self._places(width)
        places, n, k = h * w, self.filters, self.size
        biases = b.param("biases", (n, h, w))
        weights = b.param("weights", (places * n, channels, k, k))
        windows = b.reshape(self._windows(b, x, h, w), places * channels, k, k)
        y = b.reshape(b.op("conv", windows, weights, groups=places), places, n)
        y = b.reshape(b.op("transpose", y, order=(1, 0)), n, h, w)
        return activate(b, b.add(y, biases), self.activation)

    def darknet_operations(self, x: Lowered) -> float:
        return 0  # local_layer.c counts nothing

    def _places(self, length: int) -> int:
        """Windows along one axis: local_layer.c assumes that padding keeps the size, im2col_cpu takes it literally."""
        literal = (length + 2 * self.pad - self.size) // self.stride + 1
        assumed = (length - 1 if self.pad else length - self.size) // self.stride + 1
        if literal != assumed:
            message = (
                f"pad={self.pad} does not keep the size under a kernel of {self.size}: Darknet reads out of bounds"
            )
            raise LayerError(Code.UNDEFINED, message, "pad", "use size=3 with pad=1")
        if literal < 1:
            raise LayerError(Code.BAD_SHAPE, f"a window of {self.size} does not fit into {length}", "size")
        return literal

    def _windows(self, b: Lowering, x: Value, h: int, w: int) -> Value:
        """The pixels under each window: (h * w, channels, size * size)."""
        if self.pad:
            x = b.op("pad", x, pads=(self.pad,) * 4, value=0.0)
        taps = [
            b.reshape(self._tap(b, x, i, j, h, w), x.shape[0], 1, h * w)
            for i in range(self.size)
            for j in range(self.size)
        ]
        return b.op("transpose", b.concat(taps, axis=1), order=(2, 0, 1))

    def _tap(self, b: Lowering, x: Value, top: int, left: int, h: int, w: int) -> Value:
        """The pixel at (top, left) of every window: (channels, h, w)."""
        rows = b.slice(x, 1, top, top + (h - 1) * self.stride + 1, self.stride)
        return b.slice(rows, 2, left, left + (w - 1) * self.stride + 1, self.stride)
