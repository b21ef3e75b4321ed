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
    # Without VNNI a processor adds pairs of products in 16 bits, which do not hold them.
    precisions={"int8": {"x86_64": ("avx512_vnni", "avx_vnni")}},
)
