"""Where a network computes: `cpu`, `cuda:1`, `openvino:GPU`, as text that says which back end can and what it needs.

Decision: a device that was asked for is used or is an error; nothing goes on quietly on the processor. Which devices a
back end knows stands in its own `BACKEND`, so that a new one brings its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import BackendError
from ..spelling import did_you_mean
from .backend import AUTO, DEFAULT, Backend, backends, find_backend

CPU = "cpu"


@dataclass(frozen=True)
class Device:
    """A device: its `kind`, and which one of them, a number or the back end's own name for it; '' is the first.

    >>> Device.of("cuda:1"), str(Device.of("openvino:GPU.0"))
    (Device(kind='cuda', which='1'), 'openvino:GPU.0')
    """

    kind: str
    which: str = ""

    @classmethod
    def of(cls, text: str) -> Device:
        """The device of that name. Raises `BackendError` for what no back end knows."""
        kind, _, which = text.strip().partition(":")
        kind = kind.lower()
        if kind not in kinds() or not re.fullmatch(r"[\w.]*", which):
            hint = did_you_mean(kind, kinds()) or f"one of {', '.join(sorted(kinds()))}, with a number as in cuda:0"
            raise BackendError(f"no device {text!r}\n  hint: {hint}")
        return cls(kind, which)

    @property
    def number(self) -> int:
        """Which one, from 0. Raises `BackendError` where a name stands."""
        if self.which and not self.which.isdecimal():
            raise BackendError(f"{self}: a number is wanted, as in {self.kind}:0")
        return int(self.which or 0)

    def __str__(self) -> str:
        return f"{self.kind}:{self.which}" if self.which else self.kind


def kinds() -> dict[str, tuple[Backend, ...]]:
    """The kinds of devices, each with the back ends that compute there.

    >>> [b.name for b in kinds()["cuda"]][:1]
    ['onnxruntime']
    """
    found: dict[str, tuple[Backend, ...]] = {CPU: tuple(backends().values())}
    for backend in backends().values():
        for kind in backend.devices:
            found[kind] = (*found.get(kind, ()), backend)
    return found


def choose(backend: str, options: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """The back end, and its options, for the `device` in them: `backend`, or, if that is the default, one of there.

    Raises `BackendError` for an unknown device, and for a back end that does not know it.
    """
    others = {key: value for key, value in options.items() if key != "device"}
    device = options.get("device")
    wanted = Device.of(str(device)) if device is not None else Device(CPU)
    if wanted.kind == CPU:
        return backend, others
    able = kinds()[wanted.kind]
    if backend in (DEFAULT, AUTO.name) and all(b.name != backend for b in able):
        backend = able[0].name
    if find_backend(backend) not in able:
        names = " or ".join(b.name for b in able)
        raise BackendError(f"the back end {backend!r} computes on the processor; {wanted} is for {names}")
    return backend, {**others, "device": wanted}


def needs(device: Device, backend: Backend, here: str) -> BackendError:
    """The error for a device that the installed package of a back end cannot give; `here` says what it has."""
    return BackendError(
        f"{device} is not to be had: {here}\n  hint: pip install {backend.devices[device.kind]}, in its place, and the "
        "driver of the device"
    )
