"""The loader: the same samples whoever makes them, all kinds of pictures and data sets, and faults that are named."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import CLASSES, rectangle, rectangles

from darknet_py.analysis.evaluate.classify import open_classified
from darknet_py.apps.train.data.examples import TRIES
from darknet_py.apps.train.data.loader import Loader, MiniBatch, Sample
from darknet_py.apps.train.data.opening import open_loader
from darknet_py.apps.train.data.options import CUTMIX_OR_MOSAIC, MIXUP, MOSAIC, Augmentation
from darknet_py.apps.train.data.sheet import contact_sheet, drawn, write_sheet
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.layers.heads.detection import Detection
from darknet_py.darknet.layers.heads.yolo import Yolo
from darknet_py.darknet.layers.net import Net
from darknet_py.darknet.layers.softmax import Softmax
from darknet_py.errors import DataError
from darknet_py.vision.datasets import open_dataset

NET = Net(
    width=64, height=48, channels=3, batch=8, subdivisions=2, hue=0.1, saturation=1.5, exposure=1.5, mosaic=1, blur=6,
    gaussian_noise=10,
)  # fmt: skip
HEAD = Yolo(classes=CLASSES, jitter=0.3, resize=1.3, max_=20)


def same(one: MiniBatch, other: MiniBatch) -> bool:
    arrays = np.array_equal(one.images, other.images) and np.array_equal(one.truth, other.truth)
    return arrays and one.paths == other.paths and one.first == other.first


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    dataset = open_dataset(rectangles(tmp_path))
    runs = [list(islice(Loader(dataset, NET, HEAD, workers=w, seed=2).from_sample(), 5)) for w in (0, 1, 3)]
    for run in runs[1:]:
        assert all(map(same, runs[0], run))
    assert runs[0][0].images.shape == (4, 3, 48, 64)
    assert runs[0][0].truth.shape == (4, 20, 6)
    assert len({batch.images.tobytes() for batch in runs[0]}) == 5


def test_a_run_goes_on_at_any_sample(tmp_path: Path) -> None:
    dataset = open_dataset(rectangles(tmp_path))
    whole = Loader(dataset, NET, HEAD).samples(0, 10)
    again = next(Loader(dataset, NET, HEAD, workers=2, keep=0).from_sample(7, [(3, (48, 64))]))
    assert np.array_equal(whole.images[7:], again.images)
    assert np.array_equal(whole.truth[7:], again.truth)
    assert not same(Loader(dataset, NET, HEAD, seed=1).batch(0), Loader(dataset, NET, HEAD).batch(0))
    assert same(Loader(dataset, NET, HEAD).batch(2), Loader(dataset, NET, HEAD).samples(8, 4))


def test_each_mini_batch_may_have_its_own_size_and_the_plan_may_end(tmp_path: Path) -> None:
    loader = Loader(open_dataset(rectangles(tmp_path)), NET, HEAD)
    plan = [(2, (32, 32)), (3, (64, 96)), (1, (48, 48))]
    made = list(loader.from_sample(0, iter(plan)))
    assert [batch.images.shape for batch in made] == [(2, 3, 32, 32), (3, 3, 64, 96), (1, 3, 48, 48)]
    assert [batch.first for batch in made] == [0, 2, 5]


def test_processes_share_the_mini_batches_of_one_training(tmp_path: Path) -> None:
    loader = Loader(open_dataset(rectangles(tmp_path)), NET, HEAD)
    alone = list(islice(loader.from_sample(), 6))
    shared = [list(islice(loader.from_sample(share=(rank, 2)), 3)) for rank in (0, 1)]
    assert all(same(alone[2 * i + rank], shared[rank][i]) for rank in (0, 1) for i in range(3))


def test_opencv_has_its_threads_back_when_the_loader_stops(tmp_path: Path) -> None:
    before = cv2.getNumThreads()
    made = Loader(open_dataset(rectangles(tmp_path)), NET, HEAD).from_sample()
    next(made)
    assert cv2.getNumThreads() == 1
    made.close()
    assert cv2.getNumThreads() == before


def test_pictures_without_objects_teach_that_nothing_is_there(tmp_path: Path) -> None:
    for name in ("a", "b"):
        rectangle(tmp_path, name, 0, (0.5, 0.5, 0.4, 0.4))
    (tmp_path / "a.txt").write_text("")
    loader = Loader(open_dataset(tmp_path), replace(NET, mosaic=0, mixup=0), HEAD)
    batch = loader.samples(0, 30)
    empty = np.array([path.endswith("a.png") for path in batch.paths])
    assert empty.any()
    assert not batch.truth[empty].any()
    assert not loader.examples.faults


@pytest.mark.parametrize(
    ("channels", "pixels"),
    [
        (3, np.full((20, 30), 100, np.uint8)),
        (1, np.full((20, 30, 3), 100, np.uint8)),
        (3, np.full((20, 30), 100 * 256 + 77, np.uint16)),
        (4, np.full((20, 30, 4), 100, np.uint8)),
    ],
)
def test_pictures_are_read_as_inference_reads_them(tmp_path: Path, channels: int, pixels: np.ndarray) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), pixels)
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    net = replace(NET, channels=channels, blur=0, gaussian_noise=0, hue=0, saturation=1, exposure=1)
    batch = Loader(open_dataset(tmp_path), net, HEAD).samples(0, 6)
    assert batch.images.shape == (6, channels, 48, 64)
    assert np.allclose(batch.images, 100 / 255, atol=1e-6)
    assert np.isfinite(Loader(open_dataset(tmp_path), replace(NET, channels=channels), HEAD).samples(0, 8).images).all()


def test_a_broken_picture_is_told_once_and_another_one_is_drawn(tmp_path: Path) -> None:
    rectangles(tmp_path, 3)
    (tmp_path / "01.png").write_bytes(b"no picture")
    told: list[str] = []
    loader = Loader(open_dataset(tmp_path), NET, HEAD, say=told.append)
    batch = loader.samples(0, 40)
    assert len(told) == 1 == len(loader.examples.faults)
    assert "01.png" in told[0]
    assert not any("01.png" in path for path in batch.paths)


def test_where_no_picture_can_be_read_the_error_names_one(tmp_path: Path) -> None:
    rectangle(tmp_path, "a", 0, (0.5, 0.5, 0.4, 0.4))
    (tmp_path / "a.png").write_bytes(b"")
    for workers in (0, 1):
        with pytest.raises(DataError, match=rf"{TRIES} pictures in turn.*a\.png"):
            next(Loader(open_dataset(tmp_path), NET, HEAD, workers=workers).from_sample())


def test_faulty_lines_are_left_out_and_told_by_file_and_line(tmp_path: Path) -> None:
    rectangle(tmp_path, "a", 0, (0.5, 0.5, 0.4, 0.4))
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.2\nrubbish\n9 0.5 0.5 0.2 0.2\n1 0.9 0.5 0.4 0.2\n")
    told: list[str] = []
    loader = Loader(open_dataset(tmp_path), NET, HEAD, say=told.append)
    loader.samples(0, 10)
    assert [text.split(": ")[0].rpartition("/")[2] for text in told] == ["a.txt:2", "a.txt:3"]


def test_a_look_over_counts_objects_and_tells_of_faults_at_the_beginning(tmp_path: Path) -> None:
    dataset = open_dataset(rectangles(tmp_path, 6))
    (tmp_path / "04.png").unlink()
    (tmp_path / "05.txt").write_text("rubbish\n")
    loader = Loader(dataset, NET, HEAD)
    assert loader.examples.look_over().tolist() == [2, 2, 1]
    assert sorted(Path(place).name for place in loader.examples.faults) == ["04.png", "05.txt:1"]
    for path in tmp_path.glob("*.txt"):
        path.write_text("2 0.5 0.5 0.1 0.1\n")
    with pytest.raises(DataError, match="no object of the cfg's 1 classes"):
        Loader(dataset, NET, Yolo(classes=1)).examples.look_over()


def test_alpha_that_a_network_wants_and_a_picture_lacks_is_a_fault(tmp_path: Path) -> None:
    rectangles(tmp_path, 2)
    with pytest.raises(DataError, match="3 channels, and the network wants 4"):
        Loader(open_dataset(tmp_path), replace(NET, channels=4), HEAD).batch(0)


def test_sequences_of_a_video_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="track=1"):
        Loader(open_dataset(rectangles(tmp_path)), replace(NET, track=1, time_steps=3), HEAD)


def test_detections_grids_are_laid_out(tmp_path: Path) -> None:
    head = Detection(classes=CLASSES, side=4)
    batch = Loader(open_dataset(rectangles(tmp_path)), replace(NET, mosaic=0), head).batch(0)
    assert batch.truth.shape == (4, 4 * 4 * (5 + CLASSES))
    assert batch.truth.reshape(4, 16, 8)[..., 0].sum() >= 2


def test_coco_and_voc_are_learned_from_too(tmp_path: Path) -> None:
    rectangle(tmp_path / "JPEGImages", "a", 1, (0.5, 0.5, 0.5, 0.5), (100, 200))
    (tmp_path / "JPEGImages/a.txt").unlink()
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations/a.xml").write_text(
        "<annotation><size><width>200</width><height>100</height></size><object><name>cat</name><bndbox><xmin>51</xmin>"
        "<ymin>26</ymin><xmax>151</xmax><ymax>76</ymax></bndbox></object></annotation>"
    )
    (tmp_path / "instances.json").write_text(
        json.dumps(
            {
                "images": [{"id": 5, "file_name": "a.png", "width": 200, "height": 100}],
                "annotations": [{"image_id": 5, "category_id": 9, "bbox": [50, 25, 100, 50]}],
                "categories": [{"id": 7, "name": "dog"}, {"id": 9, "name": "cat"}],
            }
        )
    )
    options = Augmentation(classes=CLASSES, jitter=0, flip=False)
    for dataset in (
        open_dataset(tmp_path / "JPEGImages"),
        open_dataset(tmp_path / "instances.json", pictures=tmp_path / "JPEGImages"),
    ):
        loader = Loader(dataset, NET, HEAD, names=("dog", "cat", "cow"), options=options)
        rows = loader.sample(0).rows
        assert rows is not None
        assert rows[0, :5] == pytest.approx([0.5, 0.5, 0.5, 0.5, 1], abs=0.02)


def test_decoded_pictures_are_kept_within_a_limit(tmp_path: Path) -> None:
    dataset = open_dataset(rectangles(tmp_path))
    few, all_ = (Loader(dataset, NET, HEAD, keep=keep) for keep in (100_000, 1 << 30))
    assert same(few.samples(0, 30), all_.samples(0, 30))
    assert few.examples._pictures._bytes <= 100_000 < all_.examples._pictures._bytes


DETECTOR = """[net]
batch=8
subdivisions=2
width=64
height=32
channels=3
[convolutional]
filters=16
size=1
activation=linear
[yolo]
mask=0,1
anchors=5,5, 9,9
num=2
classes=3
max=7
jitter=.1
"""
CLASSIFIER = """[net]
batch=4
width=32
height=32
channels=3
[convolutional]
filters=3
size=1
activation=linear
[avgpool]
[softmax]
"""


def test_a_cfg_and_a_data_file_are_enough(tmp_path: Path) -> None:
    rectangles(tmp_path / "pictures")
    (tmp_path / "train.txt").write_text("".join(f"{p}\n" for p in sorted((tmp_path / "pictures").glob("*.png"))))
    (tmp_path / "x.data").write_text("classes=3\ntrain=train.txt\n")
    batch = open_loader(tmp_path / "x.data", compile_cfg(DETECTOR), seed=4).batch(0)
    assert batch.images.shape == (4, 3, 32, 64)
    assert batch.truth.shape == (4, 7, 6)
    assert batch.truth[:, 0, 0].all()
    larger = open_loader(tmp_path / "x.data", compile_cfg(DETECTOR, size=(64, 96)))
    assert larger.batch(0).images.shape == (4, 3, 64, 96)


def test_a_classifier_with_a_tree_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tree").write_text("a -1\nb 0\nc 0\n")
    cfg = compile_cfg(CLASSIFIER + f"tree={tmp_path / 'x.tree'}\n")
    with pytest.raises(DataError, match="tree of classes"):
        open_loader(classified(tmp_path), cfg)


def test_for_a_classifier_too(tmp_path: Path) -> None:
    batch = open_loader(classified(tmp_path), compile_cfg(CLASSIFIER)).batch(1)
    assert batch.images.shape == (4, 3, 32, 32)
    assert batch.truth.shape == (4, 3)


# -- classifiers -------------------------------------------------------------------------------------------------


def classified(folder: Path) -> Path:
    for name, value in (("cat", 60), ("caterpillar", 120), ("dog", 240)):
        (folder / name).mkdir()
        for i in range(3):
            assert cv2.imwrite(str(folder / name / f"{i}.png"), np.full((40, 50, 3), value, np.uint8))
    (folder / "labels.txt").write_text("cat\ncaterpillar\ndog\n")
    (folder / "train.txt").write_text(
        "\n".join(f"{n}/{i}.png" for n in ("cat", "caterpillar", "dog") for i in range(3))
    )
    (folder / "x.data").write_text("classes=3\ntrain=train.txt\nlabels=labels.txt\n")
    return folder / "x.data"


def test_a_classifiers_pictures_have_the_class_of_their_folder(tmp_path: Path) -> None:
    dataset = open_classified(classified(tmp_path), "train", classes=3)
    loader = Loader(dataset, Net(width=32, height=32, channels=3, batch=8, label_smooth_eps=0.1), Softmax())
    batch = loader.samples(0, 20)
    assert batch.truth.shape == (20, 3)
    assert np.allclose(batch.truth.sum(1), 1)
    values = np.array([60, 120, 240])[batch.truth.argmax(1)] / 255
    assert np.allclose(batch.images[:, :, 16, 16], values[:, None], atol=0.01)
    assert batch.truth.max() == pytest.approx(0.9)


@pytest.mark.parametrize("mixing", [MIXUP, CUTMIX_OR_MOSAIC, MOSAIC])
def test_mixed_classes_still_are_one_whole(tmp_path: Path, mixing: int) -> None:
    dataset = open_classified(classified(tmp_path), "train", classes=3)
    options = Augmentation("classes", mixing=mixing, min_crop=32, max_crop=32, angle=10, blur=1)
    loader = Loader(dataset, Net(width=32, height=32, channels=3), Softmax(), options=options)
    scores = np.stack([s for i in range(40) if (s := loader.sample(i).scores) is not None])
    assert np.allclose(scores.sum(1), 1)
    assert 8 < (scores.max(1) < 0.99).sum() < 32


def test_labels_that_do_not_fit_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"3 labels, and the network has 4 classes"):
        open_classified(classified(tmp_path), "train", classes=4)


# -- sheets ------------------------------------------------------------------------------------------------------


def test_a_sheet_shows_what_the_network_sees(tmp_path: Path) -> None:
    loader = Loader(open_dataset(rectangles(tmp_path / "data")), NET, HEAD)
    sheet = contact_sheet(loader, 5, ("red", "green", "blue"))
    assert sheet.dtype == np.uint8
    assert sheet.ndim == 3
    path = write_sheet(loader, tmp_path / "sheet.png", 5)
    assert cv2.imread(str(path)).shape == sheet.shape
    (tmp_path / "own.png").write_bytes(b"the user's")
    with pytest.raises(DataError, match="--replace"):
        write_sheet(loader, tmp_path / "own.png", 5)
    with pytest.raises(DataError, match=r"such as \.jpg"):
        write_sheet(loader, tmp_path / "sheet.what", 5)


def test_a_classifiers_sheet_has_names(tmp_path: Path) -> None:
    loader = Loader(
        open_classified(classified(tmp_path), "train", classes=3), Net(width=64, height=64, channels=3), Softmax()
    )
    assert contact_sheet(loader, 4, loader.dataset.names).shape == (652, 652, 3)


def test_small_pictures_are_enlarged_on_a_sheet_to_be_looked_at(tmp_path: Path) -> None:
    dataset = open_classified(classified(tmp_path), "train", classes=3)
    loader = Loader(dataset, Net(width=28, height=28, channels=3), Softmax())
    assert contact_sheet(loader, 16).shape == (4 * 340 + 4, 4 * 340 + 4, 3)
    assert max(contact_sheet(loader, 900).shape) <= 4096
    pixels = drawn(Sample(loader.sample(0).image, np.zeros((0, 6), np.float32), None, ""), enlarge=12)
    assert (pixels == pixels[::12, ::12].repeat(12, 0).repeat(12, 1)).all()
