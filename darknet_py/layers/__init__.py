"""The layers of Darknet: one file a family, each class registered under its section names on import."""

from importlib import import_module
from pkgutil import iter_modules

from .layer import LAYERS, Layer, LayerError, Lowering, section_names

for _module in sorted(m.name for m in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")

__all__ = ["LAYERS", "Layer", "LayerError", "Lowering", "section_names"]
