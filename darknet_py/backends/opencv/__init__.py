"""OpenCV's DNN module, 4.8 and later, and 5; and how to keep OpenCV from talking."""

from ..backend import Backend

BACKEND = Backend(
    "opencv",
    "OpenCV",
    f"{__name__}.session",
    package="cv2",
    distributions=(
        "opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless",
    ),
    reads=(".onnx",),
    threads="process",
    any_batch=False,
)  # fmt: skip
