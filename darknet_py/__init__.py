"""Darknet networks in Python: compile a .cfg and its .weights, run them anywhere, export them to ONNX.

>>> from darknet_py import load
>>> model = load("yolov4-tiny")  # doctest: +SKIP
>>> model("dog.jpg")[0].save("dog_boxes.jpg")  # doctest: +SKIP

Decision: names are imported when they are first used, so that `import darknet_py` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import version

if not Path(__file__).parent.is_dir():  # an archive; the grammar, lists and weights are opened by their paths
    raise ImportError(
        f"darknet-py cannot be used from inside {Path(__file__).parents[1]}, without being unpacked"
        "\n  hint: `pip install` installs a wheel; other archives are unpacked first"
    )

__version__ = version.VERSION

if TYPE_CHECKING:
    from .apps.batch.manifest import batch_status as batch_status
    from .apps.batch.rows import batch_rows as batch_rows
    from .apps.batch.run import batch as batch
    from .apps.batch.run import batch_plan as batch_plan
    from .apps.datasets.anchors import anchors as anchors
    from .apps.datasets.check import check_data as check_data
    from .apps.evaluate.classifier import evaluate_classifier as evaluate_classifier
    from .apps.evaluate.run import evaluate as evaluate
    from .apps.importing.run import import_network as import_network
    from .apps.prune.run import prune as prune
    from .apps.train.run import train as train
    from .backends.session import open_session as open_session
    from .compat.mmpretrain import inference_model as inference_model
    from .contract.detections import Boxes as Boxes
    from .contract.detections import CodeText as CodeText
    from .cv2_compat import readNetFromDarknet as readNetFromDarknet
    from .darknet.compile import Compilation as Compilation
    from .darknet.compile import compile_cfg as compile_cfg
    from .darknet.compile import compile_file as compile_file
    from .darknet.foreign.importing import import_weights as import_weights
    from .darknet.weights import random_weights as random_weights
    from .darknet.weights import read_weights as read_weights
    from .darknet.weights import write_weights as write_weights
    from .errors import BackendError as BackendError
    from .errors import CfgError as CfgError
    from .errors import DarknetError as DarknetError
    from .errors import DataError as DataError
    from .errors import PictureWarning as PictureWarning
    from .errors import WeightsError as WeightsError
    from .errors import ZooError as ZooError
    from .model.export import export_onnx as export_onnx
    from .model.holdings import clear_holdings as clear_holdings
    from .model.holdings import list_holdings as list_holdings
    from .model.model import Model as Model
    from .model.opening import load as load
    from .vision.barcodes import read_codes as read_codes
    from .vision.counting import LineCounter as LineCounter
    from .vision.counting import ZoneCounter as ZoneCounter
    from .vision.results import Results as Results
    from .vision.tracking import Tracker as Tracker
    from .vision.video.video import Video as Video
    from .zoo.find import list_models as list_models

# Every public name, and the module that it comes from.
_HOMES = {
    "apps.batch.manifest": ("batch_status",),
    "apps.batch.rows": ("batch_rows",),
    "apps.batch.run": ("batch", "batch_plan"),
    "apps.datasets.anchors": ("anchors",),
    "apps.datasets.check": ("check_data",),
    "apps.evaluate.classifier": ("evaluate_classifier",),
    "apps.evaluate.run": ("evaluate",),
    "apps.importing.run": ("import_network",),
    "apps.prune.run": ("prune",),
    "apps.train.run": ("train",),
    "backends.session": ("open_session",),
    "compat.mmpretrain": ("inference_model",),
    "contract.detections": ("Boxes", "CodeText"),
    "cv2_compat": ("readNetFromDarknet",),
    "darknet.compile": ("Compilation", "compile_cfg", "compile_file"),
    "darknet.foreign.importing": ("import_weights",),
    "darknet.weights": ("random_weights", "read_weights", "write_weights"),
    "errors": (
        "BackendError",
        "CfgError",
        "DarknetError",
        "DataError",
        "PictureWarning",
        "WeightsError",
        "ZooError",
    ),
    "model.export": ("export_onnx",),
    "model.holdings": ("clear_holdings", "list_holdings"),
    "model.model": ("Model",),
    "model.opening": ("load",),
    "vision.barcodes": ("read_codes",),
    "vision.counting": ("LineCounter", "ZoneCounter"),
    "vision.results": ("Results",),
    "vision.tracking": ("Tracker",),
    "vision.video.video": ("Video",),
    "zoo.find": ("list_models",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_MODULES)]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
