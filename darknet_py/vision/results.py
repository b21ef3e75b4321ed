"""What a model found in one picture: boxes with classes and scores, or a classifier's scores, and ways to write them.

Decision: results are arrays first; every format (drawing, JSON, COCO, YOLO text, Darknet's own lines) is a short
function of them. Pictures are BGR, as OpenCV has them. Where a size is text it is width x height, as Darknet has it;
where it is a tuple or the shape of an array it is (height, width), as NumPy has it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.detections import Boxes
from ..errors import DataError
from ..files import write_whole
from ..zoo.names import COCO, COCO_IDS
from .sources import file_name, video_name

if TYPE_CHECKING:
    from .counting import Count

NAMED = 8  # classes in a line about a picture
DRAWN_TEXT = 40  # characters of what a code says, on a picture
SHOWN_SIDE = 1280  # pixels of the longer side of a picture in a notebook


@dataclass(frozen=True, eq=False, repr=False)
class Results:
    """What a model found in one picture.

    `orig_img` is the picture, (h, w, 3) or (h, w) BGR uint8; `names` maps class numbers to names; `path` is where the
    picture came from, or a number such as 'image0' for arrays. A classifier has `scores`, one a class, and no boxes.
    What was tracked has `boxes.id`, and `counts` of lines and zones; where codes were read there is `boxes.codes`.
    Printed, it is a line: the picture, its width x height, and how many of each class, with the best score of each.

    A frame of a video or camera has its `source`, its number there (`frame`, from 0), its `time` in seconds from the
    beginning, when it was `taken`, by `time.monotonic`, and the `rate` of the video in frames a second. `warning` says
    what may be wrong with it all the same: a JPEG that was cut, a network that computes NaN, an exported file that
    gives no more objects than these.

    >>> boxes = Boxes(np.float32([[8, 8, 40, 40], [0, 0, 9, 9]]), np.float32([0.98, 0.5]), np.array([1, 0]), (48, 64))
    >>> Results(np.zeros((48, 64, 3), np.uint8), "dog.jpg", {0: "cat", 1: "dog"}, boxes)
    dog.jpg 64x48: 1 dog 0.98, 1 cat 0.50
    """

    orig_img: np.ndarray = field(repr=False)
    path: str
    names: dict[int, str] = field(repr=False)
    boxes: Boxes
    scores: np.ndarray | None = None
    seconds: float = 0.0
    source: str = ""
    frame: int | None = None
    time: float | None = None
    taken: float | None = None
    rate: float | None = None
    counts: tuple[Count, ...] = ()
    warning: str | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    def __repr__(self) -> str:
        height, width = self.orig_shape
        frame = "" if self.frame is None else f" frame {self.frame}"
        return _printable(f"{self.path}{frame} {width}x{height}: {', '.join(self._found()) or 'nothing'}")

    def _found(self) -> list[str]:
        if self.scores is not None:
            return [f"{name} {score:.2f}" for name, score in self.top5]
        best: dict[int, list[float]] = {}
        for number, score in zip(self.boxes.cls.tolist(), self.boxes.conf.tolist(), strict=True):
            best.setdefault(number, []).append(score)
        classes = [f"{len(scores)} {self.names[number]} {max(scores):.2f}" for number, scores in best.items()]
        more = [f"… {len(classes) - NAMED} classes more"] if len(classes) > NAMED else []
        return classes[:NAMED] + more

    @property
    def file_name(self) -> str:
        """What the picture's file is called, without folders; for one from an address the last part of that.

        For a frame of a video it is a name with its number, `clip_00000012.jpg`.
        """
        if self.frame is None:
            return file_name(self.path)
        return f"{Path(video_name(self.path)).stem}_{self.frame:08d}.jpg"

    @property
    def orig_shape(self) -> tuple[int, int]:
        """(height, width) of the picture."""
        return self.orig_img.shape[0], self.orig_img.shape[1]

    # -- classifiers ---------------------------------------------------------------------------------------------

    @property
    def pred_label(self) -> int:
        """The number of the best class of a classifier."""
        return int(self._class_scores.argmax())

    @property
    def pred_score(self) -> float:
        """The score of the best class of a classifier."""
        return float(self._class_scores[self.pred_label])

    @property
    def pred_class(self) -> str:
        """The name of the best class of a classifier."""
        return self.names[self.pred_label]

    @property
    def top5(self) -> list[tuple[str, float]]:
        """Names and scores of the five best classes of a classifier, best first."""
        return self.top(5)

    def top(self, count: int) -> list[tuple[str, float]]:
        """Names and scores of the best classes of a classifier, best first."""
        scores = self._class_scores
        order = np.argsort(-scores, kind="stable")[:count]
        return [(self.names[int(i)], float(scores[i])) for i in order]

    @property
    def _class_scores(self) -> np.ndarray:
        if self.scores is None:
            raise DataError("these are the results of a detector: look at .boxes")
        return self.scores

    # -- pictures ------------------------------------------------------------------------------------------------

    def plot(self) -> np.ndarray:
        """The picture with the boxes drawn (or a classifier's best classes written), (h, w, 3) BGR uint8, a copy."""
        from .draw import draw_boxes, draw_lines, draw_shapes, write_on_shapes

        if self.scores is not None:
            return draw_lines(self.orig_img, [f"{name} {score:.0%}" for name, score in self.top5])
        labels = [self._label(i) for i in range(len(self))]
        shapes = [count.points for count in self.counts]
        canvas = draw_shapes(self.orig_img, shapes) if shapes else self.orig_img
        canvas = draw_boxes(canvas, self.boxes.xyxy, self.boxes.cls, labels)
        write_on_shapes(canvas, shapes, [count.text for count in self.counts])
        return canvas

    def _label(self, i: int) -> str:
        track = self.boxes.track_id(i)
        which = "" if track is None else f" #{track}"
        says = "" if (code := self.boxes.code(i)) is None else f" {_shortened(_printable(code.text))}"
        return f"{self.names[int(self.boxes.cls[i])]}{which} {self.boxes.conf[i]:.0%}{says}"

    def save(self, path: str | Path, *, replace: bool = False) -> Path:
        """Write the drawn picture; folders are made, the format follows the suffix.

        Raises `DataError` if it cannot, and where `path` is the picture itself, or (unless `replace`) a file that this
        package did not write.
        """
        from .draw import write_picture

        return write_picture(path, self.plot(), replace=replace, sources=[self.path])

    def save_crop(self, i: int, path: str | Path, *, replace: bool = False) -> Path | None:
        """Write what is in box `i`, cut at the border of the picture; None where that is less than a pixel.

        Raises as `save` does.
        """
        left, top, right, bottom = self.boxes[i].clip().xyxy[0].round().astype(int).tolist()
        if right <= left or bottom <= top:
            return None
        from .draw import write_picture

        return write_picture(path, self.orig_img[top:bottom, left:right], replace=replace, sources=[self.path])

    def show(self) -> None:
        """Show the drawn picture: in a notebook in its place, else in a window, until it is closed or a key is pressed.

        Raises `DataError` where there is neither.
        """
        from .window import in_notebook, show_window

        if in_notebook():
            from IPython.display import display

            display(self)
        else:
            show_window(self._png(), _printable(self.path))

    def _png(self, side: int | None = None) -> bytes:
        """The drawn picture as a PNG, its longer side at most `side` pixels."""
        import cv2

        picture = self.plot()
        if side and max(picture.shape[:2]) > side:
            factor = side / max(picture.shape[:2])
            width, height = (max(1, round(n * factor)) for n in (picture.shape[1], picture.shape[0]))
            picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        return cv2.imencode(".png", picture)[1].tobytes()

    def _repr_png_(self) -> bytes:
        """The drawn picture, which notebooks ask for."""
        return self._png(SHOWN_SIDE)

    def _repr_html_(self) -> str:
        """The drawn picture over the line that `repr` is, which notebooks ask for."""
        from base64 import b64encode
        from html import escape

        line = escape(repr(self))
        data = b64encode(self._repr_png_()).decode()
        return f'<figure><img src="data:image/png;base64,{data}" alt="{line}"><figcaption>{line}</figcaption></figure>'

    # -- text ----------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain data: `filename`, `width`, `height` and, as Darknet's own JSON has them, `objects`.

        An object has `class_id`, `name`, `confidence`, `relative_coordinates` (centre and size) and `box` (corners in
        pixels), and where objects were tracked `track_id`, null for one without a track; `counts` are those of lines
        and zones. Where codes were to be read it has `text` and `format`, null for one in which none was. A frame has
        `source`, `frame` and `time` too, and what may be wrong a `warning`. A classifier has `classes` (`class_id`,
        `name`, `confidence` of the five best) instead of objects.
        """
        height, width = self.orig_shape
        head: dict[str, Any] = {"filename": self.path, "width": width, "height": height}
        if self.frame is not None:
            head |= {"source": self.source, "frame": self.frame, "time": round(self.time or 0.0, 6)}
        if self.warning is not None:
            head["warning"] = self.warning
        if self.scores is not None:
            order = np.argsort(-self.scores, kind="stable")[:5]
            best = [{"class_id": int(i), "name": self.names[int(i)], "confidence": _f(self.scores[i])} for i in order]
            return {**head, "classes": best}
        tail = {"counts": [count.to_dict(self.names) for count in self.counts]} if self.counts else {}
        return {**head, "objects": [self._object(i) for i in range(len(self))], **tail}

    def _object(self, i: int) -> dict[str, Any]:
        boxes = self.boxes
        x, y, w, h = (_f(v) for v in boxes.xywhn[i])
        track = {} if boxes.id is None else {"track_id": boxes.track_id(i)}
        code = boxes.code(i)
        read = {"text": code and code.text, "format": code and code.format}
        return {
            **track,
            "class_id": int(boxes.cls[i]),
            "name": self.names[int(boxes.cls[i])],
            "relative_coordinates": {"center_x": x, "center_y": y, "width": w, "height": h},
            "confidence": _f(boxes.conf[i]),
            "box": [_f(v, 2) for v in boxes.xyxy[i]],
            **({} if boxes.codes is None else read),
        }

    def to_json(self, indent: int | None = None) -> str:
        """`to_dict` as JSON text. Raises `DataError` for boxes of NaN or infinity, which JSON has no words for."""
        try:
            return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)
        except ValueError:
            raise DataError(f"{self.path}: a box or a score is NaN or infinite, which JSON cannot say") from None

    def to_coco(self, image_id: int | str | None = None, *, coco91: bool | None = None) -> list[dict[str, Any]]:
        """COCO result entries: `image_id`, `category_id`, `bbox` (left, top, width, height in pixels), `score`.

        Without `image_id`, it is the name of the file, as a number where it is one: COCO's 000000000139.jpg is 139.
        For a frame of a video it is the name of the video and the number, as `run --save-frames` calls its picture.
        `coco91` maps the 80 classes to COCO's own numbers (1 to 90 with gaps), as detector.c does for its COCO files;
        None: if the names are COCO's. Otherwise a category is the class number.
        """
        if image_id is None:
            stem = Path(self.path).stem
            image_id = int(stem) if stem.isascii() and stem.isdigit() else stem
            if self.frame is not None:
                image_id = f"{Path(self.source).stem}_{self.frame:08d}"
        if coco91 is None:
            coco91 = tuple(self.names.values()) == COCO
        entries = []
        # detector.c print_cocos cuts boxes at the border
        for box, score, c in zip(self.boxes.clip().xyxy, self.boxes.conf, self.boxes.cls, strict=True):
            left, top, right, bottom = (float(v) for v in box)
            bbox = [round(v, 3) for v in (left, top, right - left, bottom - top)]
            category = COCO_IDS[int(c)] if coco91 else int(c)
            entries.append({"image_id": image_id, "category_id": category, "bbox": bbox, "score": _f(score)})
        return entries

    def to_supervision(self) -> Any:
        """A `supervision.Detections`, boxes cut at the border; needs the package supervision.

        What was tracked has `tracker_id`, -1 for a box without a track, as supervision has it.
        """
        try:
            from supervision import Detections
        except ModuleNotFoundError:
            raise DataError("to_supervision needs the package 'supervision', which is not installed") from None
        names = np.array([self.names[int(c)] for c in self.boxes.cls], dtype=str)
        return Detections(
            xyxy=self.boxes.clip().xyxy.astype(np.float32),
            confidence=self.boxes.conf.astype(np.float32),
            class_id=self.boxes.cls.astype(int),
            tracker_id=None if self.boxes.id is None else np.where(self.boxes.id > 0, self.boxes.id, -1),
            data={"class_name": names},
        )

    def yolo_text(self, *, conf: bool = False) -> str:
        """A line for each box, `class cx cy w h` relative to the picture; `conf` adds the score."""
        columns = [self.boxes.xywhn, self.boxes.conf[:, None]] if conf else [self.boxes.xywhn]
        rows = zip(self.boxes.cls, np.concatenate(columns, 1), strict=True)
        return "".join(f"{int(c)} {' '.join(f'{v:.6f}' for v in row)}\n" for c, row in rows)

    def save_txt(self, path: str | Path, *, conf: bool = False, replace: bool = False) -> Path:
        """Write `yolo_text`; folders are made.

        Raises `DataError` where `path` is a file that this package did not write, unless `replace`: YOLO data sets keep
        their ground truth in files of these names.
        """
        return write_whole(path, self.yolo_text(conf=conf).encode(), replace=replace, sources=[self.path])

    def darknet_text(self) -> str:
        """The lines that Darknet prints (image.c draw_detections_v3 with -ext_output, classifier.c): boxes from left to
        right, or the five best classes. At the end of a line are the number of what was tracked, and what a code says.
        """
        if self.scores is not None:
            return "".join(f"{name}: {score:f}\n" for name, score in self.top5)
        order = np.argsort(self.boxes.xyxy[:, 0], kind="stable")
        return "".join(self._darknet_line(int(i)) for i in order)

    def _darknet_line(self, i: int) -> str:
        left, top, right, bottom = (float(v) for v in self.boxes.xyxy[i])
        name, percent = self.names[int(self.boxes.cls[i])], float(self.boxes.conf[i]) * 100
        place = f"left_x: {left:4.0f}   top_y: {top:4.0f}   width: {right - left:4.0f}   height: {bottom - top:4.0f}"
        track = self.boxes.track_id(i)
        which = "" if track is None else f"\ttrack {track}"
        code = self.boxes.code(i)
        says = "" if code is None else f"\t{code.format} {_printable(code.text)}"
        return f"{name}: {percent:.0f}%\t({place}){which}{says}\n"


def _printable(text: str) -> str:
    """The text in one line, without what a terminal would take for a command."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _shortened(text: str) -> str:
    """The text as long as is drawn; one of ASCII's letters stays one, which needs no Pillow."""
    more = "..." if text.isascii() else "…"
    return text if len(text) <= DRAWN_TEXT else f"{text[: DRAWN_TEXT - len(more)]}{more}"


def _f(value: Any, digits: int = 6) -> float:
    return round(float(value), digits)
