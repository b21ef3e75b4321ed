"""A writer of cfgs that knows Darknet's numbering: layers are values, references counted, [route]s added.

Decision: a layer call takes tensors and returns one, as in any framework. Where Darknet reads "the layer before" and
the program means another one, the builder inserts the [route]; every reference it writes is relative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

COCO_CLASSES = 80


@dataclass(frozen=True)
class Tensor:
    """The output of a layer: its number, and its channels."""

    layer: int
    channels: int


@dataclass
class Builder:
    """Collects sections; `activation` is what convolutions and shortcuts use unless told otherwise."""

    activation: str = "leaky"
    count: int = 0
    sections: list[str] = field(default_factory=list)
    _comment: str = ""

    @property
    def image(self) -> Tensor:
        """The input of the network."""
        return Tensor(-1, 3)

    def stage(self, comment: str) -> None:
        """A comment above the next section."""
        self._comment = comment

    # -- layers with parameters ----------------------------------------------------------------------------------

    def conv(
        self, x: Tensor, filters: int, size: int = 1, stride: int = 1, *, groups: int = 1,
        activation: str | None = None, normalize: bool = True,
    ) -> Tensor:  # fmt: skip
        """A convolution padded by size / 2, then batch normalization (or a bias), then the activation."""
        options: dict[str, object] = {"batch_normalize": 1} if normalize else {}
        options |= {"filters": filters, "size": size, "stride": stride, "pad": 1}
        options |= {"groups": groups} if groups > 1 else {}
        return self._layer("convolutional", x, filters, options | {"activation": activation or self.activation})

    def batch_norm(self, x: Tensor) -> Tensor:
        """Batch normalization on its own, for networks that normalize before they convolve."""
        return self._layer("batchnorm", x, x.channels, {})

    # -- layers without ------------------------------------------------------------------------------------------

    def activate(self, x: Tensor, activation: str) -> Tensor:
        """An activation on its own."""
        return self._layer("activation", x, x.channels, {"activation": activation})

    def maxpool(self, x: Tensor, size: int = 2, stride: int = 2) -> Tensor:
        """Max pooling."""
        return self._layer("maxpool", x, x.channels, {"size": size, "stride": stride})

    def local_avgpool(self, x: Tensor, size: int = 2, stride: int = 2) -> Tensor:
        """Average pooling over windows."""
        return self._layer("local_avgpool", x, x.channels, {"size": size, "stride": stride})

    def avgpool(self, x: Tensor) -> Tensor:
        """The mean over the whole image."""
        return self._layer("avgpool", x, x.channels, {})

    def maxout(self, x: Tensor, channels: int) -> Tensor:
        """The maximum over groups of channels: `channels` remain."""
        return self._layer("maxout", x, channels, {"out_channels": channels})

    def upsample(self, x: Tensor, stride: int = 2) -> Tensor:
        """Nearest neighbour enlargement."""
        return self._layer("upsample", x, x.channels, {"stride": stride})

    def dropout(self, x: Tensor, probability: float) -> Tensor:
        """Dropout; nothing at inference."""
        return self._layer("dropout", x, x.channels, {"probability": probability})

    def softmax(self, x: Tensor) -> Tensor:
        """Softmax over all classes."""
        return self._layer("softmax", x, x.channels, {"groups": 1})

    def concat(self, *tensors: Tensor) -> Tensor:
        """Channels one after another."""
        layers = ",".join(str(t.layer - self.count) for t in tensors)
        return self._emit("route", sum(t.channels for t in tensors), {"layers": layers})

    def part(self, x: Tensor, index: int, parts: int = 2) -> Tensor:
        """One of `parts` equal slices of the channels."""
        slices: dict[str, object] = {"layers": x.layer - self.count, "groups": parts, "group_id": index}
        return self._emit("route", x.channels // parts, slices)

    def shortcut(self, x: Tensor, other: Tensor, activation: str = "linear") -> Tensor:
        """x + other, with the channels of x: where other has more or fewer, the common first ones are added."""
        self._read(x)
        return self._emit("shortcut", x.channels, {"from": other.layer - self.count, "activation": activation})

    def scale_channels(self, weights: Tensor, x: Tensor) -> Tensor:
        """Each channel of x times its weight."""
        self._read(weights)
        return self._emit("scale_channels", x.channels, {"from": x.layer - self.count})

    def sam(self, x: Tensor) -> Tensor:
        """Spatial attention: x times the logistic of a 1x1 convolution of x."""
        gate = self.conv(x, x.channels, activation="logistic")
        return self._emit("sam", x.channels, {"from": x.layer - gate.layer - 1})

    def yolo(
        self, x: Tensor, mask: Sequence[int], anchors: Sequence[int], options: dict[str, object],
        classes: int = COCO_CLASSES,
    ) -> Tensor:  # fmt: skip
        """The last convolution of a scale and its [yolo] section."""
        x = self.conv(x, len(mask) * (classes + 5), activation="linear", normalize=False)
        pairs = [f"{w},{h}" for w, h in zip(anchors[::2], anchors[1::2], strict=True)]
        training = {"jitter": ".3", "ignore_thresh": ".7", "truth_thresh": 1, "random": 1}
        head = {
            "mask": ",".join(map(str, mask)),
            "anchors": ", ".join(pairs),
            "classes": classes,
            "num": len(pairs),
        }
        return self._layer("yolo", x, x.channels, {**head, **training, **options})

    def classifier(self, x: Tensor, *, pool_last: bool = False, dropout: float = 0.0) -> Tensor:
        """Global average, 1000 classes, softmax; `pool_last` averages the class scores instead of the features."""
        self.stage("classifier")
        x = x if pool_last else self.avgpool(x)
        x = self.dropout(x, dropout) if dropout else x
        x = self.conv(x, 1000, activation="linear", normalize=False)
        return self.softmax(self.avgpool(x) if pool_last else x)

    def _read(self, x: Tensor) -> None:
        if x.layer != self.count - 1:
            self._emit("route", x.channels, {"layers": x.layer - self.count})

    def _layer(self, section: str, x: Tensor, channels: int, options: dict[str, object]) -> Tensor:
        self._read(x)
        return self._emit(section, channels, options)

    def _emit(self, section: str, channels: int, options: dict[str, object]) -> Tensor:
        comment = f"# -- {self._comment} --\n\n" if self._comment else ""
        self._comment = ""
        lines = [f"[{section}]", *(f"{key}={value}" for key, value in options.items())]
        self.sections.append(comment + "\n".join(lines) + "\n")
        self.count += 1
        return Tensor(self.count - 1, channels)
