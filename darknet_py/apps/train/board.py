"""A training in TensorBoard, for whoever has it: PyTorch's own writer, which needs the package tensorboard."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from ...errors import BackendError
from .events import Event, Step, Validated


class Board:
    """Writes loss, average, rate and mAP into a folder that TensorBoard shows."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise BackendError("--tensorboard needs the package tensorboard: pip install tensorboard") from None
        self._writer = SummaryWriter(str(folder))

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._writer.close()

    def add(self, event: Event) -> None:
        """Write what an event says in numbers."""
        if isinstance(event, Step):
            for name in ("loss", "average", "rate"):
                self._writer.add_scalar(name, getattr(event, name), event.iteration)
        elif isinstance(event, Validated):
            self._writer.add_scalar(event.kind, event.value, event.iteration)
