"""The decoders: how the array of a head becomes boxes, as plain data with a JSON form; one file a family."""

from __future__ import annotations

from typing import Any

from ..trust import DECODER, believe
from .anchors import Gaussian, Yolo
from .decoder import Decoder
from .detection import Detection
from .heads import decode_heads
from .region import Region

DECODERS: dict[str, type[Decoder]] = {d.kind: d for d in (Yolo, Gaussian, Region, Detection)}


def decoder_of(data: dict[str, Any]) -> Decoder:
    """The decoder that `Decoder.to_dict` wrote; `ValueError` or `TypeError` for anything else.

    >>> decoder_of(Detection(classes=2, side=3, num=1).to_dict())
    Detection(classes=2, side=3, num=1, sqrt=False)
    """
    kind = data["kind"] if isinstance(data, dict) and "kind" in data else None
    if not isinstance(kind, str) or kind not in DECODERS:
        raise ValueError(f"no decoder {str(kind)[:60]!r}")
    made = DECODERS[kind].of({k: v for k, v in data.items() if k != "kind"})
    believe(made, DECODER)
    return made


__all__ = ["DECODERS", "Decoder", "Detection", "Gaussian", "Region", "Yolo", "decode_heads", "decoder_of"]
