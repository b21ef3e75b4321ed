"""The augmentation cases of a folder in the format of `golden_train/augment`, and how far the loader is off.

A case's name tells what it checks (`stb_`, `cv_`, `mosaic_`, ...), its json the parameters, its npz the answer.
Orders of boxes come from glibc's rand(): truths are compared as sets, except where the order decides which are kept.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from darknet_py.apps.train.data.blend import blurred, join_rows, mix
from darknet_py.apps.train.data.classifier import Turn, turned
from darknet_py.apps.train.data.colours import Tint, tint_floats
from darknet_py.apps.train.data.drawing import Draw, drawn_pixels, to_planes
from darknet_py.apps.train.data.geometry import Excerpt, Size, excerpt_of
from darknet_py.apps.train.data.mosaic import Cut, corner_of
from darknet_py.apps.train.data.sizes import Sizes
from darknet_py.apps.train.data.truth import filled, place, smallest_side
from darknet_py.vision.preprocess import resize_image

BOXES = 1e-5  # parts of the picture
PIXELS = 1.001 / 255  # of 8 bits, where OpenCV's versions round differently
EXACT = 2e-5  # of float32
TURNED = 2e-5 if int(cv2.__version__.partition(".")[0]) >= 5 else 0.02  # before, warpAffine had 1/32 of a pixel
JPEG = 4 / 255  # stb's decoder against libjpeg's
TABLE = ("init_w", "init_h", "resize_step", "rand_coef", "random_val")  # columns of a table of sizes


def fits(path: Path) -> bool:
    """Whether a folder, or a json in one, holds such cases."""
    if path.is_dir():
        return any(map(fits, [*path.glob("*.csv"), *path.glob("*.json")]))
    if path.suffix == ".csv":
        with path.open(encoding="utf-8") as file:
            return file.readline().strip().split(",")[: len(TABLE)] == list(TABLE)
    return path.suffix == ".json" and _check_of(path.stem) is not None and path.with_suffix(".npz").is_file()


def cases(folder: Path) -> Iterator[tuple[str, str | None]]:
    """Each case of a folder, and what is wrong with it: None where it is as the golden says."""
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.json")]):
        if fits(path):
            yield path.stem, check(path)


def check(path: Path) -> str | None:
    """What is wrong with the case of a json, or of the table of sizes; None where nothing is."""
    if path.suffix == ".csv":
        return _sizes(path)
    wanted = dict(np.load(path.with_suffix(".npz")))
    run = _check_of(path.stem)
    assert run, f"{path} is no case of augmentation"
    wrong = [text for text in run(path, json.loads(path.read_text("utf-8"))["params"], wanted) if text]
    return "; ".join(wrong) or None


Check = Callable[[Path, dict[str, Any], dict[str, np.ndarray]], Iterator[str]]


def _check_of(name: str) -> Check | None:
    kinds: dict[str, Check] = {
        "decode_": _decoded, "stb_": _without_opencv, "cv_": _with_opencv, "loader_": _loader, "mosaic_": _mosaic,
        "mixup_": _mixup, "classifier_": _classifier, "distort": _distorted,
    }  # fmt: skip
    return next((run for start, run in kinds.items() if name.startswith(start)), None)


# -- kinds of cases ----------------------------------------------------------------------------------------------


def _decoded(path: Path, params: dict[str, Any], wanted: dict[str, np.ndarray]) -> Iterator[str]:
    grey = params.get("c") == 1
    pixels = _picture(path, params["img"], cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR)
    image = np.empty(wanted["image_u8"].shape, np.float32)
    to_planes(pixels, image)
    # stb's grey is another mean of the colours, and its JPEG decoder rounds in other places than libjpeg
    bound = PIXELS if params["img"].endswith(".png") else JPEG
    yield _off("pixels", image, wanted["image_u8"] / 255, bound)


def _without_opencv(path: Path, params: dict[str, Any], wanted: dict[str, np.ndarray]) -> Iterator[str]:
    net = params["net_h"], params["net_w"]
    pixels = _picture(path, params["img"])
    excerpt, flip = _excerpt(params), bool(params.get("flip"))
    if params.get("letter_box"):
        excerpt = excerpt.letterboxed(pixels.shape[:2], net)
    told = params["effective"]
    if (excerpt.left, excerpt.top, excerpt.right, excerpt.bottom) != tuple(
        told[k] for k in ("pleft", "ptop", "pright", "pbot")
    ):
        yield f"excerpt {excerpt}, not {told}"
    rows = _labels(path, params["img"])
    order = _shuffled(len(rows), _glibc(params["seed_for_box_shuffle"]))
    found = place(
        rows[order], excerpt, pixels.shape[:2], net, flip=flip, classes=params["classes"], slots=params["boxes"]
    )
    yield _boxes(found, wanted["truth"], params["boxes"])
    if smallest_side(found, net) != told["min_w_h_returned"]:
        yield f"smallest side {smallest_side(found, net)}, not {told['min_w_h_returned']}"
    if "image" in wanted:
        image = _plain(pixels, excerpt, net, flip, _tint(params))
        yield _off("pixels", image, wanted["image"], EXACT if params["img"].endswith(".png") else JPEG)


def _with_opencv(path: Path, params: dict[str, Any], wanted: dict[str, np.ndarray]) -> Iterator[str]:
    net = params["net_h"], params["net_w"]
    pixels = _picture(path, params["img"])
    rows = place(
        _labels(path, params["img"]), _excerpt(params), pixels.shape[:2], net,
        flip=bool(params["flip"]), classes=1 << 20, slots=1 << 20,
    )  # fmt: skip
    yield _boxes(rows, wanted["truth"], len(wanted["truth"]))
    blur = params["blur"]
    draw = Draw(_excerpt(params), bool(params["flip"]), _tint(params), blur if blur < 2 else 0)
    image = drawn_pixels(pixels, draw, rows, net)
    if blur > 1:  # as it is given: which blur is allowed was decided before
        image = blurred(image, blur, rows)
    planes = np.empty((3, *net), np.float32)
    to_planes(image, planes)
    yield _off("pixels", planes, wanted["image_u8"] / 255, PIXELS)


def _loader(path: Path, params: dict[str, Any], wanted: dict[str, np.ndarray]) -> Iterator[str]:
    net, slots = (params["net_h"], params["net_w"]), params["boxes"]
    jitter, resize = params.get("jitter", 0.3), params.get("resize", 1.0)
    images = np.empty_like(wanted["image"])
    truths = [np.zeros((0, 6), np.float32)] * len(images)
    numbers = _Replayed(params, len(images))
    for draw in params["draws"]:
        name = params["paths"][draw["path_index"]]
        pixels, labels = _picture(path, name), _labels(path, name)
        chances = tuple(draw[k] for k in ("r1", "r2", "r3", "r4", "resize_r1", "resize_r2"))
        excerpt = excerpt_of(chances, (draw["oh"], draw["ow"]), jitter, resize)
        if (excerpt.left, excerpt.right, excerpt.top, excerpt.bottom) != tuple(
            draw[k] for k in ("pleft", "pright", "ptop", "pbot")
        ):
            yield f"excerpt {excerpt}, not {draw}"
        if params.get("letter_box"):
            excerpt = excerpt.letterboxed(pixels.shape[:2], net)
        flip, i = bool(draw["flip"]), draw["i"]
        order = numbers.order(len(labels), draw["r1"])
        rows = place(
            labels[order], excerpt, pixels.shape[:2], net, flip=flip, classes=params["classes"], slots=slots
        )  # fmt: skip
        image = _plain(pixels, excerpt, net, flip, _tint(draw))
        if draw["pass"]:
            mix(images[i], image)
            truths[i] = join_rows(rows, truths[i], slots)  # this build puts the second picture's first
        else:
            images[i], truths[i] = image, rows
    yield _off("pixels", images, wanted["image"], EXACT)
    for found, truth in zip(truths, wanted["truth"], strict=True):
        yield _boxes(found, truth, slots)


class _Replayed:
    """The draws of data.c load_data_detection, as far as they decide in which order labels are looked at."""

    def __init__(self, params: dict[str, Any], count: int) -> None:
        self._numbers = _glibc(params["seed"])
        self._flip = bool(params.get("use_flip", 1))
        next(self._numbers)
        for _ in range(count):
            next(self._numbers)  # the pictures
        if params.get("mixup") and next(self._numbers) % 2:
            for _ in range(count):
                next(self._numbers)

    def order(self, labels: int, r1: float) -> list[int]:
        """The order of the labels of the next picture; `r1` shows that all draws before it were counted."""
        drawn = [next(self._numbers) for _ in range(6 + self._flip + 6)]
        assert abs(drawn[2] / 2147483647 - r1) < 1e-6, "these are not the draws of this case"
        return _shuffled(labels, self._numbers)


def _mosaic(path: Path, params: dict[str, Any], wanted: dict[str, np.ndarray]) -> Iterator[str]:
    net, cut = (params["net_h"], params["net_w"]), Cut(params["cut_x"], params["cut_y"])
    slots = len(wanted["truth"])
    whole, rows = np.empty((*net, 3), np.uint8), np.zeros((0, 6), np.float32)
    for i, told in enumerate(params["pictures"]):
        name = next(p.name for p in path.parent.glob(f"{told['img']}.*") if p.suffix in (".png", ".jpg"))
        pixels = _picture(path, name)
        excerpt, flip = _excerpt(told), bool(told["flip"])
        corner = corner_of(i, cut, net, excerpt, pixels.shape[:2], flip)
        shifts = ",".join(map(str, (corner.left, corner.right, corner.top, corner.bottom)))
        if shifts != params["shifts_left_right_top_bottom"][f"s{i}"]:
            yield f"picture {i} is moved by {shifts}"
        own = wanted["truth_in"][i]
        own = own[: int(np.cumprod(own[:, 0] != 0).sum())]
        whole[corner.target] = drawn_pixels(pixels, Draw(excerpt, flip, _tint(told)), own, net, part=corner.source)
        rows = np.concatenate([rows, corner.rows(own, bool(params["mosaic_bound"]), slots - len(rows))])
        placed = place(_labels(path, name), excerpt, pixels.shape[:2], net, flip=flip, classes=1 << 20, slots=slots)
        yield _boxes(placed, wanted["truth_in"][i], slots)
    planes = np.empty((3, *net), np.float32)
    to_planes(whole, planes)
    yield _off("pixels", planes, wanted["image"], PIXELS)
    yield _boxes(rows, wanted["truth"], slots)


def _mixup(path: Path, params: dict[str, Any], wanted: dict[str, np.ndarray]) -> Iterator[str]:
    first, second = (rows[rows[:, 0] != 0] for rows in (wanted["first"], wanted["second"]))
    joined = filled(join_rows(first, second, params["boxes"]), params["boxes"])
    yield _off("boxes", joined, wanted["truth"], 0)


def _classifier(path: Path, params: dict[str, Any], wanted: dict[str, np.ndarray]) -> Iterator[str]:
    turn = Turn(params["rad"], params["scale"], params["aspect"], params["dx"], params["dy"])
    image = turned(_floats(_picture(path, params["img"])), turn, (params["h"], params["w"]))
    yield _off("pixels", image.transpose(2, 0, 1), wanted["image"], TURNED)


def _distorted(path: Path, params: dict[str, Any], wanted: dict[str, np.ndarray]) -> Iterator[str]:
    image = tint_floats(_floats(_picture(path, params["img"])), _tint(params))
    yield _off("pixels", image.transpose(2, 0, 1), wanted["image"], EXACT)


def _sizes(path: Path) -> str | None:
    wrong = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            sizes = Sizes(int(row["init_h"]), int(row["init_w"]), 1, float(row["rand_coef"]), float(row["resize_step"]))
            found = sizes.scaled(float(row["random_val"])), sizes.largest()
            if found != ((int(row["dim_h"]), int(row["dim_w"])), (int(row["max_dim_h"]), int(row["max_dim_w"]))):
                wrong.append(f"{found} for {row}")
    return f"{len(wrong)} sizes, the first: {wrong[0]}" if wrong else None


# -- parts -------------------------------------------------------------------------------------------------------


def _picture(path: Path, name: str, flag: int = cv2.IMREAD_COLOR) -> np.ndarray:
    pixels = cv2.imread(str(path.parent / name), flag)
    assert pixels is not None, f"{path.parent / name} cannot be read"
    return pixels


def _floats(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels[..., ::-1]).astype(np.float32) / np.float32(255)


def _plain(pixels: np.ndarray, excerpt: Excerpt, net: Size, flip: bool, tint: Tint) -> np.ndarray:
    """A picture as the build without OpenCV changes it: (c, h, w) float32, the border repeated, image.c's resize."""
    height, width = excerpt.size(pixels.shape[:2])
    rows = np.clip(np.arange(excerpt.top, excerpt.top + height), 0, pixels.shape[0] - 1)
    columns = np.clip(np.arange(excerpt.left, excerpt.left + width), 0, pixels.shape[1] - 1)
    image = resize_image(np.ascontiguousarray(pixels[rows[:, None], columns, ::-1]), *net)
    image = image[..., ::-1] if flip else image
    changed = tint_floats(np.ascontiguousarray(image.transpose(1, 2, 0)), tint)
    return changed.transpose(2, 0, 1)


def _labels(path: Path, name: str) -> np.ndarray:
    """The lines of a file of labels as Darknet reads them: with negative classes, and sizes of 0."""
    text = (path.parent / name).with_suffix(".txt").read_text("utf-8")
    lines = [[*map(float, line.split())] for line in text.splitlines() if line.strip()]
    return np.array([[*line[1:5], line[0], i] for i, line in enumerate(lines)], np.float32).reshape(-1, 6)


def _excerpt(params: dict[str, Any]) -> Excerpt:
    return Excerpt(*(params.get(key, 0) for key in ("pleft", "ptop", "pright", "pbot")))


def _tint(params: dict[str, Any]) -> Tint:
    return Tint(*(float(params.get(key, usual)) for key, usual in (("dhue", 0), ("dsat", 1), ("dexp", 1))))


def _shuffled(count: int, numbers: Iterator[int]) -> list[int]:
    """The order that data.c randomize_boxes makes with the next numbers of rand()."""
    order = list(range(count))
    for i in range(count):
        j = next(numbers) % count
        order[i], order[j] = order[j], order[i]
    return order


def _glibc(seed: int) -> Iterator[int]:
    """The numbers of glibc's rand() (additive feedback over 31 numbers)."""
    state = [seed or 1]
    for _ in range(30):
        state.append(16807 * state[-1] % 2147483647)
    state += state[:3]
    for i in range(34, 344):
        state.append((state[i - 31] + state[i - 3]) & 0xFFFFFFFF)
    while True:
        state.append((state[-31] + state[-3]) & 0xFFFFFFFF)
        yield state[-1] >> 1


def _off(what: str, found: np.ndarray, wanted: np.ndarray, bound: float) -> str:
    if found.shape != wanted.shape:
        return f"{what}: shape {found.shape}, not {wanted.shape}"
    error = float(np.abs(found.astype(np.float64) - wanted).max(initial=0))
    return f"{what} off by {error:.3g} (at most {bound:.3g})" if error > bound else ""


def _boxes(found: np.ndarray, wanted: np.ndarray, slots: int) -> str:
    """Rows as sets; tracks are the number of a line, and of a file whose name is not known here."""
    truth = wanted[: int(np.cumprod(wanted[:, 0] != 0).sum())]
    if len(found) > slots or len(found) != len(truth):
        return f"{len(found)} boxes, not {len(truth)}"
    found, truth = _sorted(found), _sorted(truth)
    error = float(np.abs(found[:, :5] - truth[:, :5]).max(initial=0))
    if error > BOXES:
        return f"boxes off by {error:.3g}"
    same = np.array_equal(found[:, 5] % 4000, truth[:, 5] % 4000)
    return "" if same else "tracks differ"


def _sorted(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(np.round(rows[:, [3, 2, 1, 0, 4]].T.astype(np.float64), 4))]
