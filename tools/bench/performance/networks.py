"""The networks of the performance benchmark, and where their cfgs and weights lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from darknet_py.zoo.find import installed_cfgs


@dataclass(frozen=True)
class Entry:
    """A network: the name of its cfg, and its input size where the cfg's is not meant.

    `sides`: only contestants whose name contains one of these (default: all).
    """

    name: str
    size: int | None = None
    quick: bool = False
    sides: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name, with the size where it says something."""
        return f"{self.name} ({self.size})" if self.size else self.name


OURS = "darknet-py on onnxruntime"

NETWORKS = (
    Entry("yolov4-tiny", quick=True),
    Entry("yolov3-tiny", quick=True),
    Entry("yolov3-tiny-prn"),
    Entry("yolo-fastest-1.1", quick=True),
    Entry("enet-coco"),
    Entry("csresnet50"),
    Entry("csresnext50"),
    Entry("csdarknet53"),
    Entry("csresnext50-panet-spp", 512),
    Entry("yolov4", 416),
    Entry("yolov4-csp-swish"),
    Entry("yolov3-csppelee-efm"),
    Entry("yolov3-csppelee-prn"),
    Entry("yolov4", 608, sides=(OURS,)),  # for the bar of decoding
)

# Trained networks whose int8 is measured: the name of the cfg, which the weights have too.
EIGHT = ("yolov4-tiny", "MobileNetV2-YOLOv3-Nano-coco", "yolo-fastest-1.1")

# Whose file counts where several repositories have one of that name.
ORIGINS = ("AlexeyAB+darknet", "WongKinYiu+CrossStagePartialNetworks", "WongKinYiu+PartialResidualNetworks", "pjreddie")


def find_cfg(name: str, folders: Iterable[Path]) -> Path | None:
    """The cfg of that name in the folders (`name.cfg`, or `origin/path__name.cfg`), else ours."""
    for folder in folders:
        found = [
            p for p in sorted(folder.rglob("*.cfg")) if p.name == f"{name}.cfg" or p.name.endswith(f"__{name}.cfg")
        ]
        if found:
            return min(found, key=lambda p: (_origin(p), len(p.parts), len(p.name)))
    return next((p for p in installed_cfgs() if p.stem == name), None)


def find_weights(cfg: Path, name: str, folders: Iterable[Path]) -> Path | None:
    """The weights of a network: beside its cfg or in the folders."""
    places = (
        cfg.with_suffix(".weights"),
        *(p for f in folders for p in (f / f"{name}.weights", f / name / f"{name}.weights")),
    )
    return next((p for p in places if p.is_file()), None)


def _origin(path: Path) -> int:
    return next((i for i, origin in enumerate(ORIGINS) if path.parent.name.startswith(origin)), len(ORIGINS))
