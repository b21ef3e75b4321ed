"""onnxruntime: sessions of graphs, in its own blocked layout where that pays, and of files."""

from ..backend import Backend

BACKEND = Backend(
    "onnxruntime",
    "onnxruntime",
    f"{__name__}.session",
    package="onnxruntime",
    distributions=("onnxruntime", "onnxruntime-gpu"),
    reads=(".onnx",),
    at_once="runs",
    devices={
        "cuda": "onnxruntime-gpu",
        "tensorrt": "onnxruntime-gpu",
        "directml": "onnxruntime-directml",
        "coreml": "onnxruntime",
    },
)
