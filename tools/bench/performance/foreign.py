"""The contestants that are not this package, each as a careful user of it would write it.

Runs in environments without this package's dependencies: `python -m tools.bench.performance.foreign SIDE JOB`, where
the job is a JSON file of `prepare.py`. With a third argument it is that user's script: one photo from the file to what
is on it.

Decision: everybody gets the same treatment. Models are read once, inputs and threads are the same, precision is
float32, and what users write in Python is written as vectorized NumPy with OpenCV's suppression.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from darknet_py.apps.bench.process import peak_memory, seconds, serve_pipes

Job = dict[str, Any]


class Engine(Protocol):
    """A network in somebody's engine."""

    version: str

    def network(self, image: np.ndarray) -> list[np.ndarray]:
        """The network alone, on (1, c, h, w)."""
        ...

    def compared(self, image: np.ndarray) -> list[np.ndarray]:
        """What is held against the reference: outputs, or what goes into the heads."""
        ...

    def detect(self, photo: np.ndarray) -> int:
        """From pixels (h, w, 3) BGR to the number of objects."""
        ...


class OpenCVDarknet:
    """OpenCV's own importer of Darknet files, and its high-level models."""

    def __init__(self, job: Job) -> None:
        cv2: Any = import_module("cv2")
        cv2.setNumThreads(job["threads"])
        self.version = f"OpenCV {cv2.__version__}"
        self._job, self._cv2 = job, cv2
        self._net = cv2.dnn.readNetFromDarknet(job["cfg"], job["weights"])
        self._names = self._net.getUnconnectedOutLayersNames()
        kind = cv2.dnn_DetectionModel if job["heads"] else cv2.dnn_ClassificationModel
        self._model = kind(self._net)
        height, width = job["size"]
        self._model.setInputParams(size=(width, height), scale=1 / 255, swapRB=True)

    def network(self, image: np.ndarray) -> list[np.ndarray]:
        self._net.setInput(image)
        return list(self._net.forward(self._names))

    def compared(self, image: np.ndarray) -> list[np.ndarray]:
        # Its heads leave out boxes below 0.2, so what goes into them is compared; layers end with Darknet's numbers.
        net = self._cv2.dnn.readNetFromDarknet(self._job["cfg"], self._job["weights"])
        names = [self._last(net, layer) for layer in self._job["before heads"]] or list(self._names)
        net.setInput(image)
        return list(net.forward(names))

    def detect(self, photo: np.ndarray) -> int:
        if self._job["heads"]:
            return len(self._model.detect(photo, self._job["conf"], self._job["iou"])[0])
        self._model.classify(photo)
        return 0

    @staticmethod
    def _last(net: Any, layer: int) -> str:
        return [n for n in net.getLayerNames() if n.rpartition("_")[2] == str(layer)][-1]


class Plain:
    """What engines have in common that read the plain ONNX: the user's own pre- and postprocessing."""

    version = ""

    def __init__(self, job: Job) -> None:
        self._job = job

    def network(self, image: np.ndarray) -> list[np.ndarray]:
        raise AssertionError("an engine says how")

    def compared(self, image: np.ndarray) -> list[np.ndarray]:
        return self.network(image)

    def detect(self, photo: np.ndarray) -> int:
        import cv2

        height, width = self._job["size"]
        outputs = self.network(cv2.dnn.blobFromImage(photo, 1 / 255, (width, height), swapRB=True))
        if not self._job["heads"]:
            return int(outputs[-1].argmax() < 0)
        return len(boxes_of(outputs, self._job, photo.shape[:2]))


class OnnxRuntime(Plain):
    """onnxruntime as it comes, with all its optimizations."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        import onnxruntime

        self.version = f"onnxruntime {onnxruntime.__version__}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job["threads"]
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(job["onnx"], options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def network(self, image: np.ndarray) -> list[np.ndarray]:
        return list(self._session.run(None, {self._input: image}))


class OpenVINO(Plain):
    """OpenVINO for latency, in float32: where the processor has bfloat16 it would compute something else."""

    settings: Job = {"INFERENCE_PRECISION_HINT": "f32"}

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        import openvino

        self.version = f"OpenVINO {openvino.__version__.split('-')[0]}"
        settings = {"INFERENCE_NUM_THREADS": job["threads"], "PERFORMANCE_HINT": "LATENCY", **self.settings}
        compiled = openvino.Core().compile_model(job["onnx"], "CPU", settings)
        self.precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self._request = compiled.create_infer_request()

    def network(self, image: np.ndarray) -> list[np.ndarray]:
        results = self._request.infer([image], share_inputs=True, share_outputs=True)
        return [results[i] for i in range(len(results))]


class OpenVINOAsItComes(OpenVINO):
    """OpenVINO at the precision that it chooses itself."""

    settings: Job = {}


class OpenCVOnnx(Plain):
    """OpenCV's importer of ONNX."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        import cv2

        cv2.setNumThreads(job["threads"])
        self.version = f"OpenCV {cv2.__version__}"
        self._net = cv2.dnn.readNetFromONNX(job["onnx"])
        self._names = job["outputs"]

    def network(self, image: np.ndarray) -> list[np.ndarray]:
        self._net.setInput(image)
        return list(self._net.forward(self._names))


class Ncnn(Plain):
    """ncnn, converted by pnnx; float32, because its half precision is another result."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        ncnn = import_module("ncnn")
        self.version = f"ncnn {ncnn.__version__}"
        self._ncnn, self._net = ncnn, ncnn.Net()
        options = self._net.opt
        options.num_threads = job["threads"]
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_storage = False
        param, binary = ncnn_files(job)
        if self._net.load_param(param) or self._net.load_model(binary):
            raise RuntimeError("ncnn does not read what pnnx wrote")

    def network(self, image: np.ndarray) -> list[np.ndarray]:
        extractor = self._net.create_extractor()
        extractor.input("in0", self._ncnn.Mat(image[0]))
        return [np.array(extractor.extract(f"out{i}")[1])[None] for i in range(len(self._job["outputs"]))]


class Mnn(Plain):
    """MNN, converted by its own converter; in float32, which it calls high precision."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        mnn = import_module("MNN")
        self.version = f"MNN {mnn.version()}"
        self._expr = mnn.expr
        self._module = mnn.nn.load_module_from_file(
            mnn_file(job), [], [], precision_mode=mnn.expr.PrecisionMode.High, thread_num=job["threads"],
            shape_mutable=False,
        )  # fmt: skip
        names = self._module.get_info()["outputNames"]
        self._order = [names.index(name) for name in job["outputs"]]

    def network(self, image: np.ndarray) -> list[np.ndarray]:
        given = self._expr.const(image, list(image.shape), self._expr.NCHW)
        found = self._module.forward([given])
        return [self._expr.convert(found[i], self._expr.NCHW).read() for i in self._order]


class Darknet:
    """Darknet's C as Debian compiles it: one thread, whatever is asked for."""

    def __init__(self, job: Job) -> None:
        import ctypes

        self.version = "Darknet 61c9d02e of Debian (1 thread)"
        library = ctypes.CDLL(job["libdarknet"])
        library.load_network.restype = ctypes.c_void_p
        library.load_network.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
        library.set_batch_network.argtypes = [ctypes.c_void_p, ctypes.c_int]
        library.network_predict.restype = ctypes.POINTER(ctypes.c_float)
        library.network_predict.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self._library, self._shape = library, tuple(job["output shape"])
        self._net = library.load_network(job["cfg"].encode(), job["weights"].encode(), 0)
        library.set_batch_network(self._net, 1)

    def network(self, image: np.ndarray) -> list[np.ndarray]:
        found = self._library.network_predict(self._net, image.ctypes.data)
        return [np.ctypeslib.as_array(found, self._shape)[None].copy()]

    def compared(self, image: np.ndarray) -> list[np.ndarray]:
        return self.network(image)  # of the last head

    def detect(self, photo: np.ndarray) -> int:
        raise RuntimeError("not measured")


ENGINES: dict[str, Callable[[Job], Engine]] = {
    "opencv-darknet": OpenCVDarknet,
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVINO,
    "openvino-default": OpenVINOAsItComes,
    "opencv-onnx": OpenCVOnnx,
    "ncnn": Ncnn,
    "mnn": Mnn,
    "darknet": Darknet,
}


def boxes_of(outputs: Sequence[np.ndarray], job: Job, photo: tuple[int, ...]) -> np.ndarray:
    """The boxes (n, 4) that survive: what users of [yolo] outputs write, vectorized."""
    import cv2

    found = [_candidates(o, head, job) for o, head in zip(outputs, job["heads"], strict=True)]
    boxes, scores, classes = (np.concatenate(parts) for parts in zip(*found, strict=True))
    boxes *= np.array([photo[1], photo[0]] * 2, np.float32)
    if not len(boxes):
        return boxes
    kept = cv2.dnn.NMSBoxesBatched(boxes.tolist(), scores.tolist(), classes.tolist(), job["conf"], job["iou"])
    return boxes[np.asarray(kept, np.intp).ravel()]


def _candidates(output: np.ndarray, head: dict[str, Any], job: Job) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left, top, width and height relative to the photo, score and class of the boxes of one head."""
    anchors = np.array(head["anchors"], np.float32)
    _, rows, columns = head["shape"]
    numbers = output.reshape(len(anchors), -1, rows * columns)
    anchor, cell = np.nonzero(numbers[:, 4] > job["conf"])
    picked = numbers[anchor, :, cell]
    height, width = job["size"]
    wh = picked[:, 2:4]
    wh = (4 * wh * wh if head["squared"] else np.exp(wh)) * anchors[anchor] / np.array([width, height], np.float32)
    xy = (picked[:, :2] + np.stack([cell % columns, cell // columns], 1)) / np.array([columns, rows], np.float32)
    classes = picked[:, 5:].argmax(1)
    scores = picked[:, 4] * picked[np.arange(len(picked)), 5 + classes]
    sure = scores > job["conf"]
    return np.concatenate([xy - wh / 2, wh], 1)[sure].astype(np.float32), scores[sure], classes[sure]


def ncnn_files(job: Job) -> tuple[str, str]:
    """What pnnx writes beside the ONNX file."""
    stem = job["onnx"].removesuffix(".onnx")
    return f"{stem}.ncnn.param", f"{stem}.ncnn.bin"


def mnn_file(job: Job) -> str:
    """What MNN's converter writes beside the ONNX file."""
    return job["onnx"].removesuffix(".onnx") + ".mnn"


class Contestant:
    """What a process of this module can be asked: the names of the methods are the requests."""

    def __init__(self, side: str, job: Job) -> None:
        self._side, self._job = side, job
        self._input, self._photo = (np.load(Path(job["folder"], f"{name}.npy")) for name in ("input", "photo"))
        self._engine: Any = None

    def open(self, folder: str) -> dict[str, Any]:
        """Read the network, run it once, and leave what is compared as `outputs.npz` in `folder`."""
        self._engine = ENGINES[self._side](self._job)
        np.savez(Path(folder, "outputs.npz"), *self._engine.compared(self._input))
        return {"version": self._engine.version, "precision": getattr(self._engine, "precision", "f32")}

    def network(self) -> dict[str, Any]:
        """The network alone."""
        return {"seconds": seconds(lambda: self._engine.network(self._input))}

    def detect(self) -> dict[str, Any]:
        """From the pixels of a photo to what is on it."""
        found: list[int] = []
        taken = seconds(lambda: found.append(self._engine.detect(self._photo)))
        return {"seconds": taken, "found": found[-1]}

    def memory(self) -> dict[str, Any]:
        """The most bytes that this process had."""
        return {"bytes": peak_memory()}


def main(side: str, path: str, photo: str = "") -> None:
    """Serve, or, with a photo, do the whole job once."""
    job = json.loads(Path(path).read_text("utf-8"))
    if not photo:
        contestant = Contestant(side, job)
        serve_pipes({name: getattr(contestant, name) for name in ("open", "network", "detect", "memory")})
        return
    pixels = import_module("cv2").imread(photo)
    print(ENGINES[side](job).detect(pixels))


if __name__ == "__main__":
    main(*sys.argv[1:])
