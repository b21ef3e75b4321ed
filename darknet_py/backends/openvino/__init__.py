"""OpenVINO, for the processors of Intel above all."""

from ..backend import Backend

BACKEND = Backend(
    "openvino",
    "OpenVINO",
    f"{__name__}.session",
    package="openvino",
    distributions=("openvino",),
    extra="openvino",
    reads=(".onnx", ".xml"),
    at_once="streams",
    devices={"openvino": "openvino"},
    precisions={
        "bf16": {"x86_64": ("avx512_bf16", "amx_bf16"), "aarch64": ("bf16",)},
        "f16": {"x86_64": ("avx512_fp16", "amx_fp16"), "aarch64": ("asimdhp",)},
        "int8": {"x86_64": ("avx512_vnni", "avx_vnni", "amx_int8")},
    },
)
