"""What can be asked of a file for other programs; each format states by name what it has of it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from ..contract.form import Form
from ..errors import DataError, Say, to_nobody

SAID = ("names", "letterbox", "threshold", "iou")  # what any file can say of itself that has a place for a contract


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Form):
    """A form, and what `export_onnx` takes besides: names, fitting of pictures, those that calibrate int8.

    `replace` allows files to go that this package did not write; `say` is told what takes long. Raises `DataError` for
    what excludes each other.
    """

    int8: str | Path | None = None
    names: str | Path | None = None
    letterbox: bool | None = None
    replace: bool = False
    say: Say = field(default=to_nobody, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.half and self.int8 is not None:
            raise DataError("half and int8 exclude each other")


SHARED = frozenset(f.name for f in fields(ExportOptions))  # the options that are nobody's own
