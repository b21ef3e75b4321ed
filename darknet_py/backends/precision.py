"""In how many bits a network computes: `f32`, or `bf16`, `f16`, `int8` where a back end and the processor have it.

Decision: one value says it, from the command line to the session. Which precisions a back end has, and what a processor
needs for them, stands in its own `BACKEND`. One that was asked for is computed in or is an error that says what lacks:
OpenVINO asked for float16 where the processor has none computes in bfloat16 without a word, and ncnn in float32.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import BackendError
from ..machine import cpu, features
from ..spelling import did_you_mean
from .backend import AUTO, Backend, backends

if TYPE_CHECKING:
    from ..ir.int8 import Calibration

F32, BF16, F16, INT8 = "f32", "bf16", "f16", "int8"
KINDS = {
    F32: "float32",
    BF16: "bfloat16, float32 with 8 bits of mantissa",
    F16: "float16",
    INT8: "8-bit integers, calibrated on pictures",
}
SAME = {F32: 1e-3}  # of their scale, what outputs of two back ends may differ by; what has fewer bits differs
SIMILAR = 0.2


@dataclass(frozen=True)
class Precision:
    """A precision by its `kind`, one of `KINDS`; int8 with what pictures told of the network's numbers.

    >>> Precision.of("bf16"), Precision().is_whole
    (Precision(kind='bf16'), True)
    """

    kind: str = F32
    calibration: Calibration | None = field(default=None, hash=False, repr=False)

    @classmethod
    def of(cls, given: str) -> Precision:
        """The precision of that name. Raises `BackendError` if there is none."""
        if given not in KINDS:
            hint = did_you_mean(given, KINDS) or f"one of {', '.join(KINDS)}"
            raise BackendError(f"no precision {given!r}\n  hint: {hint}")
        return cls(given)

    @property
    def is_whole(self) -> bool:
        """Whether this is float32, which every back end has."""
        return self.kind == F32

    @property
    def tolerance(self) -> float:
        """By how much of their scale the outputs of two back ends may differ if both compute the same."""
        return SAME.get(self.kind, SIMILAR)

    def find_lack(self, backend: Backend) -> str | None:
        """Why a back end cannot compute in it on this machine; None if it can, or if only the runtime knows.

        >>> from .backend import find_backend
        >>> Precision("bf16").find_lack(find_backend("onnxruntime"))
        "the back end 'onnxruntime' computes in f32 or int8"
        """
        if self.is_whole:
            return None
        if self.kind not in backend.precisions:
            return f"the back end {backend.name!r} computes in {' or '.join((F32, *backend.precisions))}"
        wanted, here = backend.precisions[self.kind].get(platform.machine().lower(), ()), features()
        if not wanted or here is None or not here.isdisjoint(wanted):
            return None
        return f"{self.kind} needs a processor with {' or '.join(wanted)}, which {cpu()} lacks"

    def check(self, backend: Backend) -> None:
        """Raise `BackendError` where a back end lacks it on this machine, or where pictures are missing."""
        self.check_had(backend)
        if self.kind == INT8 and self.calibration is None:
            raise BackendError(
                "int8 is calibrated on pictures like those that the network will see\n"
                "  hint: --data PICTURES (a folder, a list, a .data file); of `load`: data=…"
            )

    def check_had(self, backend: Backend) -> None:
        """Raise `BackendError` where a back end lacks it on this machine, and say which one has it."""
        if backend.name != AUTO.name and (lack := self.find_lack(backend)):
            raise BackendError(f"{lack}\n  hint: {self._hint()}")

    def _hint(self) -> str:
        able = [b.name for b in backends().values() if b.installed and self.find_lack(b) is None]
        return (
            f"--backend {able[0]} has {self.kind} here" if able else f"no back end here has {self.kind}: leave it out"
        )


WHOLE = Precision()


def with_precision(backend: Backend, options: Mapping[str, object]) -> dict[str, object]:
    """The options of a back end, the `precision` in them as a value, or left out where it is float32.

    Raises `BackendError` as `Precision.check` does.
    """
    given = options.get("precision", WHOLE)
    wanted = given if isinstance(given, Precision) else Precision.of(str(given))
    wanted.check(backend)
    others = {key: value for key, value in options.items() if key != "precision"}
    return others if wanted.is_whole else {**others, "precision": wanted}
