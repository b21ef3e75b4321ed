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
)
