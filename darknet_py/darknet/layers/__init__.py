"""The layers of Darknet: one file a family, each class registered under its section names on import.

Decision: all are imported when somebody first asks for the registry; whoever needs one layer imports its file alone.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .layer import LAYERS as LAYERS
    from .layer import Layer as Layer
    from .layer import LayerError as LayerError
    from .layer import section_names as section_names

__all__ = ["LAYERS", "Layer", "LayerError", "section_names"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for module in sorted(m.name for m in walk_packages(__path__, f"{__name__}.")):
        import_module(module)
    found = import_module(f"{__name__}.layer")
    globals().update({public: getattr(found, public) for public in __all__})
    return globals()[name]
