"""OpenVINO's own files, NAME.xml and NAME.bin, with a text of ours among what they say of themselves.

Decision: they are made from the ONNX that OpenVINO is given anyway, by OpenVINO, so they compute what the back end
does.
"""

from __future__ import annotations

from pathlib import Path

from .session import ov

PLACE = ("darknet", "contract")  # of the text, below rt_info


def write_ir(model: bytes | Path, path: Path, text: str, *, half: bool) -> None:
    """Write an ONNX model as `path`, an .xml, and the .bin beside it, its weights in float16 if `half`."""
    read = ov.Core().read_model(model)
    read.set_rt_info(text, list(PLACE))
    ov.save_model(read, str(path), compress_to_fp16=half)
