"""What a file is that was given as a cfg or as weights and is neither: told from its first bytes.

Decision: one table for both readers, so that what one of them recognizes the other does too.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass

LOOK = 512  # bytes that tell every kind of file; tar has its own at 257


@dataclass(frozen=True)
class Kind:
    """A kind of file: what it is called, and what to do with one."""

    title: str
    remedy: str


UNPACK = "unpack it first"
CONVERT = "convert it with the program that it is from: only Darknet's own format is read here"
PICTURE = "the pictures come after the cfg and the weights"
IMPORT = "`darknet-py weights import` converts those of some programs, and convert others with their own"
PYTORCH = Kind("a checkpoint of PyTorch (a zip archive)", IMPORT)

# What a file begins with, and what it is then. The sources are the formats' own descriptions.
BEGINNINGS: tuple[tuple[bytes, Kind], ...] = (
    (b"\x1f\x8b", Kind("compressed by gzip", "unpack it first, with `gunzip`, or `tar xf` where it is a .tar.gz")),
    (b"BZh", Kind("compressed by bzip2", UNPACK)),
    (b"\xfd7zXZ\0", Kind("compressed by xz", UNPACK)),
    (b"\x28\xb5\x2f\xfd", Kind("compressed by zstd", UNPACK)),
    (b"\x04\x22\x4d\x18", Kind("compressed by lz4", UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", UNPACK)),
    (b"Rar!", Kind("a RAR archive", UNPACK)),
    (b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file, as Keras writes them (.h5)", CONVERT)),
    (b"\x93NUMPY", Kind("an array of NumPy (.npy)", CONVERT)),
    (b"GGUF", Kind("a GGUF file", CONVERT)),
    (b"MATLAB 5.0", Kind("a file of MATLAB", CONVERT)),
    (b"ftrt", Kind("an engine of TensorRT", CONVERT)),
    (b"\x12\x01\0\0\0\0\0\0", Kind("parameters of MXNet", CONVERT)),
    (b"\xff\xd8\xff", Kind("a picture (JPEG)", PICTURE)),
    (b"\x89PNG", Kind("a picture (PNG)", PICTURE)),
    (b"GIF8", Kind("a picture (GIF)", PICTURE)),
    (b"II*\0", Kind("a picture (TIFF)", PICTURE)),
    (b"MM\0*", Kind("a picture (TIFF)", PICTURE)),
    (b"RIFF", Kind("a picture (WebP) or a video", PICTURE)),
    (b"%PDF", Kind("a PDF", "download the file that it is about")),
    (b"\x7fELF", Kind("a program", "give the file that Darknet reads, not Darknet")),
    (b"MZ", Kind("a program", "give the file that Darknet reads, not Darknet")),
    (b"SQLite format 3", Kind("a data base", "this is neither a cfg nor weights")),
)  # fmt: skip


def recognize(data: bytes) -> Kind | None:
    """What a file of another kind is that begins with `data`; None where nothing tells.

    >>> recognize(bytes.fromhex("1f8b0800")).title
    'compressed by gzip'
    >>> recognize(b"[net]") is None
    True
    """
    data = data[:LOOK]
    if data.startswith(b"PK\x03\x04"):
        return _zip(data)
    for start, kind in BEGINNINGS:
        if data.startswith(start):
            return kind
    return next((kind for tells, kind in _STRUCTURES if tells(data)), None)


def recognize_text(data: bytes) -> Kind | None:
    """What kind of text a file begins with; None where it is no text."""
    text = _text(data[:LOOK])
    if text is None:
        return None
    start = text.lstrip().lower()
    if start.startswith("version https://git-lfs"):
        return Kind("a Git LFS pointer", "`git lfs pull` fetches the file itself")
    if start.startswith(("<!doctype", "<html", "<head", "<body")) or "<html" in start:
        return Kind("a web page", "download the file that it shows")
    if start.startswith("<"):
        return Kind("XML: an error of a server, or a network of another program", "download the file itself")
    if start.startswith("{"):
        return Kind("JSON: an error of a server, or a network of another program", "download the file itself")
    if start.startswith("7767517"):
        return Kind("a .param file of ncnn", CONVERT)
    if "[net]" in start or "[network]" in start:
        return Kind("a cfg", "the cfg comes first, and its weights after it")
    return Kind("text", "a web page or a Git LFS pointer was saved in place of the file, or this is the cfg")


def _text(data: bytes) -> str | None:
    """The text that bytes are, in UTF-8 or UTF-16; None where they are none."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        # Only a whole character can be decoded, and the last one may be cut off.
        decoder = codecs.getincrementaldecoder("utf-16" if utf16 else "utf-8-sig")()
        text = decoder.decode(data)
    except UnicodeDecodeError:
        return None
    return text if text and all(c.isprintable() or c in "\t\r\n" for c in text) else None


def _zip(data: bytes) -> Kind:
    """PyTorch writes zip archives that begin with the pickle or the version of the checkpoint."""
    name = data[30 : 30 + int.from_bytes(data[26:28], "little")] if len(data) >= 30 else b""
    if name.endswith((b"data.pkl", b"/version", b"/.format_version", b"/byteorder")):
        return PYTORCH
    if name.endswith(b".npy"):
        return Kind("arrays of NumPy (.npz)", CONVERT)
    return Kind("a zip archive, or a checkpoint of PyTorch (.pt)", "unpack it, or convert the checkpoint")


def _is_onnx(data: bytes) -> bool:
    # ModelProto: ir_version (field 1), then the producer, the opset or the graph, all with a length
    return (
        data[:1] == b"\x08" and len(data) > 3 and 0 < data[1] < 32 and data[2] in (0x12, 0x1A, 0x22, 0x32, 0x3A, 0x42)
    )


def _is_saved_model(data: bytes) -> bool:
    return data.startswith(b"\x08\x01\x12") and b"\x0a" in data[3:8]


def _is_safetensors(data: bytes) -> bool:
    # the length of a JSON header in 8 bytes, then the header (its padding may be blanks)
    return data[5:8] == b"\0\0\0" and data[8:16].lstrip().startswith(b'{"')


def _is_pickle(data: bytes) -> bool:
    # PROTO, then an opcode that makes something
    return data[:1] == b"\x80" and len(data) > 2 and 2 <= data[1] <= 5 and data[2] not in (0, 0xFF)


def _names_itself(data: bytes) -> bool:
    """Whether it is a protobuf message that begins with a name: Caffe's NetParameter."""
    return data[:1] == b"\x0a" and len(data) > 4 and 0 < data[1] < 100 and _printable(data[2 : 2 + data[1]])


def _is_frozen_graph(data: bytes) -> bool:
    """Whether it is a protobuf message that begins with a message with a name: a GraphDef of TensorFlow."""
    inner = data[2 if len(data) > 1 and data[1] < 128 else 3 :]
    return data[:1] == b"\x0a" and inner[:1] == b"\x0a" and len(inner) > 2 and _printable(inner[2 : 2 + inner[1]])


def _printable(data: bytes) -> bool:
    return bool(data) and all(32 <= byte < 127 for byte in data)


_STRUCTURES: tuple[tuple[Callable[[bytes], bool], Kind], ...] = (
    (lambda d: d[4:8] == b"TFL3", Kind("a network of TensorFlow Lite (.tflite)", CONVERT)),
    (lambda d: d[4:8] == b"ftyp", Kind("a video", PICTURE)),
    (lambda d: d[:2] == b"BM" and d[6:10] == bytes(4), Kind("a picture (BMP)", PICTURE)),
    (lambda d: d[257:262] == b"ustar", Kind("a tar archive", UNPACK)),
    (_is_safetensors, Kind("a file of safetensors", CONVERT)),
    (_is_saved_model, Kind("a SavedModel of TensorFlow or an ONNX file", CONVERT)),
    (_is_onnx, Kind("an ONNX file", "only `darknet-py run`, `view` and `load` take ONNX files, in place of the cfg")),
    (_is_pickle, Kind("a pickle of Python, as older checkpoints of PyTorch are", IMPORT)),
    (_is_frozen_graph, Kind("a frozen graph of TensorFlow (.pb)", CONVERT)),
    (_names_itself, Kind("a network of Caffe (.caffemodel)", CONVERT)),
)
