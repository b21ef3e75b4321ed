"""A network with everything around it: `load` a cfg (or an exported ONNX file), call it on pictures, get results.

Decision: a `Model` is a session, the description of what goes in and what comes out (`Contract`), and nothing else; a
cfg, a cfg that was compiled before, and an ONNX file only differ in how these two are made.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from numbers import Integral
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ..backends.session import Session, open_session
from ..contract.contract import Contract
from ..contract.selection import ClassName, Conf, Selection, select
from ..errors import DataError, LimitWarning
from ..vision.results import Results
from ..vision.sources import is_live, is_stream, loaders, recognized
from ..vision.video.video import Video
from ..zoo.names import ByNumber
from .stream import Findings, Skip, Steps, Workers, stream

if TYPE_CHECKING:
    from ..darknet.network import Network
    from ..errors import Say
    from .precision import Chosen


def to_stderr(text: str) -> None:
    """Say something on stderr."""
    print(text, file=sys.stderr)


class Model:
    """A network that takes pictures and gives `Results`.

    Recurrent networks see pictures one after another and remember, across calls too, until `reset`.
    """

    def __init__(
        self, session: Session, contract: Contract, network: Network | Callable[[], Network] | None = None
    ) -> None:
        self.session, self.contract, self._network = session, contract, network
        self.names: dict[int, str] = ByNumber(contract.names)
        self._tails = lru_cache(1)(self._open_tails)
        self._lock = Lock()  # of what recurrent layers remember
        self.again: partial[Model] | None = None  # opens it anew, with what was said to `load` and found since
        self.chosen: Chosen | None = None  # where a precision or a back end for it was looked for
        self.tell: Say = to_stderr
        self.findings = Findings()
        self._said: set[str] = set()
        self.reset()

    def __repr__(self) -> str:
        kind = "detector" if self.contract.decoders else "network"
        shape = "x".join(map(str, self.contract.shape))
        return f"<Model {self.contract.origin}: {kind}, input {shape}, {self.contract.classes} classes>"

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[partial[Model]]]:
        """A model travels to another process as what was said to `load`, and is opened there again.

        A precision that was found goes with it, so that both are one network. What recurrent layers remember stays
        behind.
        """
        if self.again is None:
            raise DataError("this model was not made by load, and cannot be opened elsewhere: open it in each process")
        return _called, (self.again,)

    @property
    def network(self) -> Network | None:
        """The compiled cfg with its weights; None for an exported file. Opened now where a finished one was at hand."""
        if callable(self._network):
            self._network = self._network()
        return self._network

    def reset(self) -> None:
        """Forget what recurrent layers remember."""
        self._states: list[np.ndarray] = []

    def export(
        self,
        path: str | Path,
        format: str | None = None,  # noqa: A002 - its name
        *,
        replace: bool = False,
        **options: Any,
    ) -> None:
        """Write the network for other programs, as the suffix of `path` or `format` says.

        `options` are those of the format; for ONNX those of `export_onnx`. `replace` allows a file at `path` to go that
        this package did not write. Raises `DataError` for such a file, for a format or an option that does not exist,
        or a model that comes from an exported file.
        """
        from .formats import find_format

        if self.network is None:
            raise DataError("this model comes from an exported file: copy that")
        find_format(Path(path), format).write(self.network, Path(path), replace=replace, say=self.tell, **options)

    def forward(self, inputs: np.ndarray) -> list[np.ndarray]:
        """The network alone: a batch of inputs (n, c, h, w) float32 to its outputs, with the batch axis in front.

        Raises `DataError` if the shape does not fit.
        """
        return self.heads(self.run(inputs))

    def heads(self, outputs: list[np.ndarray]) -> list[np.ndarray]:
        """What `run` gave with the last, elementwise functions of heads applied, which `run` leaves out."""
        if self.contract.boxes != "input":
            return outputs
        pairs = zip(self._tails(), outputs, strict=True)
        return [session.run([output])[0] if session else output for session, output in pairs]

    def _open_tails(self) -> list[Session | None]:
        """The heads themselves, in NumPy: from what the session gives to the outputs of their layers."""
        assert self.network is not None, "only a compiled cfg ends before its heads"
        return [open_session(tail, "numpy") if tail else None for tail in self.network.program().tails()]

    def run(self, inputs: np.ndarray) -> list[np.ndarray]:
        """`forward` as far as `contract.decode` needs it: without the last, elementwise functions of heads."""
        if not self.contract.states:
            return self.step(inputs)[0]
        with self._lock:
            outputs, self._states = self.step(inputs, self._states)
        return outputs

    def step(self, inputs: np.ndarray, states: Sequence[np.ndarray] = ()) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """`run` with what recurrent layers remember as a value: the outputs, and the states for the next step.

        Without `states`, or with those of another number of samples, the memories are zeros. The model itself
        remembers nothing of it, so any thread may step through a sequence of its own.
        """
        given = inputs.shape if isinstance(inputs, np.ndarray) else type(inputs).__name__
        if given[1:] != self.contract.shape or not given[0]:
            raise DataError(f"the network wants an array of inputs (n, *{self.contract.shape}), not {given}")
        if not np.can_cast(inputs.dtype, np.float32, "same_kind"):  # bfloat16, of another library, can
            raise DataError(f"the network wants an array of real numbers, not of {inputs.dtype}")
        if not states or len(states[0]) != len(inputs):
            states = [np.zeros((len(inputs), *s.shape), np.float32) for s in self.contract.states]
        results = self.session.run([inputs, *states])
        count = len(results) - len(self.contract.states)
        return results[:count], results[count:]

    def tell_once(self, text: str) -> None:
        """Say what holds for every picture, once."""
        if text not in self._said:
            self._said.add(text)
            self.tell(text)

    @overload
    def __call__(
        self, source: Iterator[Any] | Video | int, conf: Conf | None = None, iou: float | None = None, *,
        batch: int = 1, workers: Workers = 0, letterbox: bool | None = None, skip: Skip | None = None,
        max_pixels: int | None = None, classes: ClassName | Iterable[ClassName] | None = None,
        max_det: int | None = None, agnostic: bool = False,
    ) -> Iterator[Results]: ...  # fmt: skip

    @overload
    def __call__(
        self, source: Any, conf: Conf | None = None, iou: float | None = None, *, batch: int = 1, workers: Workers = 0,
        letterbox: bool | None = None, skip: Skip | None = None, max_pixels: int | None = None,
        classes: ClassName | Iterable[ClassName] | None = None, max_det: int | None = None, agnostic: bool = False,
    ) -> list[Results]: ...  # fmt: skip

    def __call__(
        self,
        source: Any,
        conf: Conf | None = None,
        iou: float | None = None,
        *,
        batch: int = 1,
        workers: Workers = 0,
        letterbox: bool | None = None,
        skip: Skip | None = None,
        max_pixels: int | None = None,
        classes: ClassName | Iterable[ClassName] | None = None,
        max_det: int | None = None,
        agnostic: bool = False,
    ) -> list[Results] | Iterator[Results]:
        """Results for every picture of `source`: a list, or a generator if `source` is a generator or a video.

        `source` is a path, folder, glob, list file, `http://` address, '-' (stdin), bytes, open file, array (BGR), PIL
        image, or a list or generator of these, as in `sources.pictures`; or a video file, an address of one (`rtsp://`,
        `http://`), the number of a camera, a `Video` or a `cv2.VideoCapture`. A camera or a stream gives its newest
        frame each time, for which `batch` is 1 and `workers` 0. `conf` is the lowest probability that counts and `iou`
        the overlap that suppresses; None is what an exported file says, and Darknet's default. `batch` pictures are
        computed at a time (recurrent networks: always one). `workers` threads read and prepare pictures and decode
        boxes while the network runs, in order, at most `batch` x (2 `workers` + 2) pictures at a time (of a video file,
        with one worker, some 20 frames or 6 x `batch`); 0 does one thing after the other. "auto" is for many pictures:
        after the first 32 each goes from its file to its boxes in one thread, and how many at once, on how many threads
        and in what batches (unless `batch` says it) is measured once for a network and a machine, and remembered.
        `letterbox` pads pictures to the shape of the network; without it they are stretched, or for classifiers scaled
        and cut; None does what the cfg says. `skip` is told of what is no picture, which is left out; without it that
        raises `DataError`. A picture of more than `max_pixels` is not decoded, and counts as none (None: as many as the
        variable DARKNET_PY_MAX_PIXELS says, or 178,956,970).

        `conf` may be one for each of some classes ({'person': 0.5, 'car': 0.3}; the others keep the default, or what
        the key None says), `classes` are the names or numbers of those that are wanted, `max_det` is the most objects
        of a picture, the surest first, and `agnostic` lets boxes suppress those of other classes. Classes and
        thresholds count before suppression, as in Darknet, and the number after it. Classes whose names begin with
        'dont_show' are left out, as in Darknet, unless `classes` names them.
        """
        iou = self.contract.iou if iou is None else iou
        threshold, selection = self._select(conf, classes, max_det, agnostic)
        if not 0 <= iou <= 1:
            raise DataError(f"iou is between 0 and 1, not {iou}")
        if not isinstance(batch, Integral) or batch < 1:
            raise DataError(f"batch is at least 1, not {batch}")
        if workers != "auto" and not (isinstance(workers, Integral) and workers >= 0):
            raise DataError(f'workers is at least 0, or "auto", not {workers!r}')
        least = min((threshold, *(own for _, own in selection.thresholds)))
        for sentence in self.contract.beyond(least, iou, agnostic):
            warnings.warn(sentence, LimitWarning, stacklevel=2)
        source = recognized(source)
        if is_live(source):
            batch = 1  # what is read ahead is old when its turn comes
            workers = 0
        if workers == "auto" and isinstance(source, Video):
            workers = 1
        film = workers == 1 and isinstance(source, Video) and not source.is_live
        loads = loaders(source, self.contract.shape[0], max_pixels, ahead=not film)
        padded = self.contract.letterbox if letterbox is None else letterbox
        steps = Steps(self, threshold, iou, padded, selection, skip)
        results = stream(steps, loads, batch, workers, film=film)
        return results if is_stream(source) else list(results)

    def _select(
        self, conf: Conf | None, classes: ClassName | Iterable[ClassName] | None, max_det: int | None, agnostic: bool
    ) -> tuple[float, Selection]:
        chosen = classes is not None or max_det or agnostic or isinstance(conf, Mapping)
        if chosen and not self.contract.decoders:
            raise DataError(
                "the network is a classifier: it finds no boxes of which some could be chosen; leave out the choice of "
                "classes, thresholds for each, max_det and agnostic"
            )
        return select(
            self.contract.names, self.contract.classes, conf=conf, default=self.contract.threshold, classes=classes,
            max_det=max_det, agnostic=agnostic,
        )  # fmt: skip


def _called(again: partial[Model]) -> Model:
    return again()
