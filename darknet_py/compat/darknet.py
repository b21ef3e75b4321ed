"""What Darknet's own commands print and write: `detector test`, `detector valid`, `classifier predict`.

Decision: the numbers come from a `Model` like everybody's; here are only Darknet's words for them (detector.c, image.c,
network.c detection_to_json, classifier.c at the commit that all truth is taken from).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import DataError, Say
from ..files import check_output, write_whole
from ..model.model import Model
from ..vision.datasets import list_pictures
from ..vision.results import Results
from ..vision.sources import PictureFile
from ..zoo.names import COCO_IDS, read_options

VALID_CONF, VALID_IOU = 0.001, 0.6  # detector.c validate_detector; `detector map` has 0.005 and 0.45
PROMPT = "Enter Image Path: "
PREDICTIONS = "predictions.jpg"  # detector.c test_detector: the drawn picture, always of this name
EVALUATIONS = ("voc", "coco", "imagenet")  # of a .data file's eval=


def detection_lines(results: Results, *, ext_output: bool) -> str:
    """The lines of `detector test`: name and percent, with `ext_output` the box in pixels too (draw_detections_v3)."""
    if ext_output:
        return results.darknet_text()
    lines = results.darknet_text().splitlines()
    return "".join(f"{line.partition(chr(9) + '(left_x:')[0]}\n" for line in lines)


def detections_json(results: Results, frame: int) -> str:
    """The object that `-out` writes for a picture (detection_to_json); `frame` counts pictures from 1."""
    objects = [
        f'  {{"class_id":{o["class_id"]}, "name":{_quoted(o["name"])}, "relative_coordinates":{{'
        + ", ".join(f'"{key}":{value:f}' for key, value in o["relative_coordinates"].items())
        + f'}}, "confidence":{o["confidence"]:f}}}'
        for o in results.to_dict()["objects"]
    ]
    head = f'{{\n "frame_id":{frame}, \n "filename":{_quoted(results.path)}, \n "objects": [ \n'
    return head + ", \n".join(objects) + "\n ] \n}"


def pseudo_labels(results: Results) -> str:
    """The lines of `-save_labels`: each box once, with its best class, relative, with four decimals."""
    best: dict[bytes, str] = {}
    for c, box in zip(results.boxes.cls, results.boxes.xywhn, strict=True):  # best first
        best.setdefault(box.tobytes(), f"{int(c)} {' '.join(f'{v:2.4f}' for v in box)}\n")
    return "".join(best.values())


def valid_pictures(data: Path) -> list[PictureFile]:
    """The pictures in the list that `valid=` of a .data file names. Raises `DataError` if there are none."""
    if not read_options(data).get("valid"):
        raise DataError(f"{data} has no line valid=, the list of the pictures to look at")
    return [PictureFile(path) for path in list_pictures(data)]


def write_valid(
    model: Model, data: Path, out: str | None = None, say: Say | None = None, *, replace: bool = False
) -> list[Path]:
    """What `detector valid` writes for the pictures of a .data file, into the folder `results=`; the files' paths.

    `eval=` of the file says in which form: voc (the default, a file a class), coco or imagenet (one file). `out` is
    their name, or its beginning, instead of Darknet's. Detections count from 0.001 and are suppressed at 0.6, as in
    Darknet. `say` is told of pictures that cannot be read, which are left out. Raises `DataError` for another form, a
    classifier, and a file that is not to be replaced, before anything is computed.
    """
    options = read_options(data)
    form = options.get("eval", "voc")
    if form not in EVALUATIONS:
        raise DataError(f"{data} says eval={form}; {', '.join(EVALUATIONS)} are written here")
    if not model.contract.decoders:
        raise DataError(f"{model.contract.origin} is a classifier: darknet-py classifier valid DATA CFG WEIGHTS")
    pictures = valid_pictures(data)
    folder = Path(options.get("results", "results"))
    paths = _places(folder, form, out, model.names)
    for path in paths:
        check_output(path, replace=replace)
    results = model(
        iter(pictures), VALID_CONF, VALID_IOU, skip=lambda e: say(f"error: {e}") if say else None,
        classes=model.contract.every_class,
    )  # fmt: skip
    if form == "voc":
        return _write_voc(results, paths, replace)
    if form == "coco":
        entries = ",\n".join(line for r in results for line in coco_lines(r))
        text = f"[\n{entries}\n]\n"
    else:
        numbers = {str(p.path): i for i, p in enumerate(pictures, 1)}
        text = "".join(line for r in results for line in imagenet_lines(r, numbers[r.path]))
    return [write_whole(paths[0], text.encode(), replace=replace)]


def _places(folder: Path, form: str, out: str | None, names: dict[int, str]) -> list[Path]:
    """The files of a form: one for each class, in order, or one."""
    if form == "coco":
        return [folder / f"{out or 'coco_results'}.json"]
    if form == "imagenet":
        return [folder / f"{out or 'imagenet-detection'}.txt"]
    start = out or "comp4_det_test_"  # a name with a slash would lead out of the folder
    return [folder / f"{start}{names[c].replace('/', '_')}.txt" for c in range(len(names))]


def _write_voc(results: Iterable[Results], paths: list[Path], replace: bool) -> list[Path]:
    lines: dict[int, list[str]] = defaultdict(list)
    for found in results:
        for c, line in voc_lines(found):
            lines[c].append(line)
    # a class nobody found has an empty file, as in Darknet
    return [write_whole(path, "".join(lines[c]).encode(), replace=replace) for c, path in enumerate(paths)]


def voc_lines(results: Results) -> Iterator[tuple[int, str]]:
    """The class and the line of each detection: picture, probability, corners in pixels from 1.

    As print_detector_detections has them, cut at the border of the picture.
    """
    height, width = results.orig_shape
    name = Path(results.path).name.partition(".")[0]  # utils.c basecfg: up to the first dot
    for c, p, (left, top, right, bottom) in _rows(results):
        corners = max(left + 1, 1), max(top + 1, 1), min(right + 1, width), min(bottom + 1, height)
        yield c, f"{name} {p:f} {' '.join(f'{v:f}' for v in corners)}\n"


def coco_lines(results: Results) -> Iterator[str]:
    """An entry of COCO's results for each detection (print_cocos), cut at the border of the picture.

    The number of a picture is what follows the last `_`, else the last `/`. Up to 80 classes get COCO's own numbers.
    """
    height, width = results.orig_shape
    path = results.path
    number = _leading_number(path.rpartition("_" if "_" in path else "/")[2])
    for c, p, (left, top, right, bottom) in _rows(results):
        x, y = max(left, 0), max(top, 0)
        box = ", ".join(f"{v:f}" for v in (x, y, min(right, width) - x, min(bottom, height) - y))
        category = COCO_IDS[c] if len(results.names) <= len(COCO_IDS) else c
        yield f'{{"image_id":{number}, "category_id":{category}, "bbox":[{box}], "score":{p:f}}}'


def imagenet_lines(results: Results, number: int) -> Iterator[str]:
    """A line for each detection: the picture's place in the list, the class from 1, probability, corners in pixels."""
    height, width = results.orig_shape
    for c, p, (left, top, right, bottom) in _rows(results):
        corners = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        yield f"{number} {c + 1} {p:f} {' '.join(f'{v:f}' for v in corners)}\n"


def prediction_lines(results: Results, count: int) -> str:
    """The lines of `classifier predict`: the best `count` classes."""
    return "".join(f"{name}: {score:f}\n" for name, score in results.top(count))


def _rows(results: Results) -> Iterator[tuple[int, float, tuple[float, float, float, float]]]:
    boxes = results.boxes
    for c, p, (left, top, right, bottom) in zip(boxes.cls, boxes.conf, boxes.xyxy, strict=True):
        yield int(c), float(p), (float(left), float(top), float(right), float(bottom))


def _leading_number(text: str) -> int:
    """C's atoi."""
    digits = re.match(r"\s*([-+]?[0-9]+)", text)
    return int(digits[1]) if digits else 0


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
