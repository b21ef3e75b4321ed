"""Labelled data sets: where lists, pictures and labels are found, in every layout, and what is wrong with labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from darknet_py.errors import DataError
from darknet_py.vision import datasets, labels
from darknet_py.vision.datasets import list_pictures, open_dataset
from darknet_py.vision.labels import read_coco, read_labels, read_voc

LINE = "1 0.5 0.5 0.25 0.5\n"


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_labels_beside_the_picture_come_first(tmp_path: Path) -> None:
    write(tmp_path / "images/a.jpg")
    write(tmp_path / "images/a.txt", LINE)
    write(tmp_path / "labels/a.txt", LINE * 2)
    (example,) = open_dataset(tmp_path / "images").examples
    assert example.layout == datasets.BESIDE
    assert len(example.read(())[0]) == 1


@pytest.mark.parametrize("folder", ["images", "images/train2017", "JPEGImages"])
def test_labels_lie_in_the_folder_of_labels(tmp_path: Path, folder: str) -> None:
    write(tmp_path / folder / "a.jpg")
    write(tmp_path / folder.replace("JPEGImages", "images").replace("images", "labels") / "a.txt", LINE)
    (example,) = open_dataset(tmp_path).examples
    assert example.layout == datasets.REPLACED


def test_a_data_file_names_its_lists_as_darknet_opens_them_or_beside_itself(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path / f"images/{name}.jpg")
        write(tmp_path / f"images/{name}.txt", LINE)
    write(tmp_path / "valid.txt", "images/a.jpg\n\nimages/b.jpg \n")
    write(tmp_path / "train.txt", f"{tmp_path}/images/c.jpg\n")
    write(tmp_path / "my.names", "cat\ndog\n")
    data = write(
        tmp_path / "my.data", "classes = 2\ntrain = train.txt\nvalid=valid.txt\nvalid=other.txt\nnames=my.names"
    )
    found = open_dataset(data)
    assert [e.picture.name for e in found.examples] == ["a.jpg", "b.jpg"]
    assert found.names == ("cat", "dog")
    assert [e.picture.name for e in open_dataset(data, "train").examples] == ["c.jpg"]
    assert [p.name for p in list_pictures(data)] == ["a.jpg", "b.jpg"]


def test_objects_of_the_difficult_list_are_marked(tmp_path: Path) -> None:
    for name in ("a", "hard/a"):
        write(tmp_path / f"{name}.jpg")
        write(tmp_path / f"{name}.txt", LINE)
    write(tmp_path / "valid.txt", "a.jpg\n")
    write(tmp_path / "hard.txt", "hard/a.jpg\n")
    data = write(tmp_path / "my.data", "valid=valid.txt\ndifficult=hard.txt\n")
    (example,) = open_dataset(data).examples
    assert example.read(())[0].difficult.tolist() == [False, True]
    write(tmp_path / "hard.txt", "hard/a.jpg\nhard/a.jpg\n")
    with pytest.raises(DataError, match="2 pictures in the list difficult=, and 1 in the first"):
        open_dataset(data)


def test_without_valid_the_train_list_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", LINE)
    write(tmp_path / "t.list", "a.jpg")
    assert len(open_dataset(write(tmp_path / "my.data", "train=t.list"))) == 1


def test_missing_labels_are_counted_and_all_missing_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg")
    write(tmp_path / "b.jpg")
    with pytest.raises(DataError, match="none of its 2 pictures has labels") as e:
        open_dataset(tmp_path)
    assert str(tmp_path / "a.txt") in str(e.value)
    write(tmp_path / "a.txt", LINE)
    found = open_dataset(tmp_path)
    assert found.missing == 1
    assert found.describe() == "2 pictures, labels beside the pictures, 1 without"


@pytest.mark.parametrize("name", ["no.data", "no.list", "set.yaml"])
def test_what_is_no_data_set_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError):
        open_dataset(tmp_path / name)


def test_an_empty_folder_and_an_empty_list_have_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures"):
        open_dataset(tmp_path)
    with pytest.raises(DataError, match="no pictures"):
        list_pictures(write(tmp_path / "my.list"))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("dog 0.5 0.5 0.1 0.1", "is no `class cx cy w h`"),
        ("0 0.5 0.5 0.1", "is no `class cx cy w h`"),
        ("0 0.5 0.5 nan 0.1", "is no `class cx cy w h`"),
        ("0 0.5 0.5 0 0.1", "is no `class cx cy w h`"),
        ("-1 0.5 0.5 0.1 0.1", "is no `class cx cy w h`"),
        ("7 0.5 0.5 0.1 0.1", "class 7 is beyond the 2 classes"),
        ("0 120 80 40 40", "looks like pixels"),
        ("0 0.9 0.5 0.4 0.1", "leaves the picture"),
    ],
)
def test_a_faulty_line_is_told_by_file_and_line(tmp_path: Path, line: str, what: str) -> None:
    path = write(tmp_path / "a.txt", f"{LINE}{line}\n")
    read, faults = read_labels(path, 2)
    assert len(faults) == 1
    assert str(faults[0]).startswith(f"{path}:2: ")
    assert what in str(faults[0])
    assert read.cls[0] == 1


def test_a_sixth_word_is_no_fault(tmp_path: Path) -> None:
    read, faults = read_labels(write(tmp_path / "a.txt", "\ufeff0 0.5 0.5 0.1 0.1 0.93\r\n"), 1)
    assert (len(read), faults) == (1, ())


VOC = """<annotation><size><width>100</width><height>50</height></size>
<object><name>dog</name><difficult>1</difficult><bndbox><xmin>11</xmin><ymin>11</ymin><xmax>31</xmax><ymax>21</ymax></bndbox></object>
<object><name>cow</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>2</ymax></bndbox></object></annotation>"""


def test_vocs_corners_count_from_one(tmp_path: Path) -> None:
    write(tmp_path / "JPEGImages/a.jpg")
    write(tmp_path / "Annotations/a.xml", VOC)
    (example,) = open_dataset(tmp_path).examples
    read, faults = example.read(("cat", "dog"))
    assert example.layout == datasets.VOC
    np.testing.assert_allclose(read.boxes, [[0.2, 0.3, 0.2, 0.2]], rtol=1e-6)
    assert read.cls.tolist() == [1]
    assert read.difficult.tolist() == [True]
    assert "'cow'" in str(faults[0])


@pytest.mark.parametrize("text", ["", "<a/>", "<a", '<!DOCTYPE a [<!ENTITY b "c">]><a/>'])
def test_what_is_no_voc_file_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError):
        read_voc(write(tmp_path / "a.xml", text), ("a",))


def coco(folder: Path, **changes: object) -> Path:
    data = {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 100, "height": 50}],
        "categories": [{"id": 9, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [
            {"image_id": 7, "category_id": 9, "bbox": [10, 10, 20, 10]},
            {"image_id": 7, "category_id": 3, "bbox": [0, 0, 100, 50], "iscrowd": 1},
        ],
        **changes,
    }
    return write(folder / "annotations/instances_val.json", json.dumps(data))


@pytest.mark.parametrize("place", ["annotations", "val", "images/val", "images"])
def test_a_coco_file_finds_its_pictures(tmp_path: Path, place: str) -> None:
    write(tmp_path / place / "a.jpg")
    found = open_dataset(coco(tmp_path))
    read, _ = found.examples[0].read(found.names)
    assert found.names == ("cat", "dog")
    assert read.cls.tolist() == [1, 0]
    assert read.difficult.tolist() == [False, True]
    np.testing.assert_allclose(read.boxes[0], [0.2, 0.3, 0.2, 0.2], rtol=1e-6)


@pytest.mark.parametrize("changes", [{"images": 5}, {"annotations": [{}]}, {"categories": None}])
def test_what_is_no_coco_file_is_an_error(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(DataError, match="not the JSON of COCO"):
        read_coco(coco(tmp_path, **changes))


def test_a_list_may_be_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "MAX_LIST", 4)
    with pytest.raises(DataError, match="list of pictures"):
        open_dataset(write(tmp_path / "my.list", "a.jpg\n"))
    assert labels.MAX_JSON > datasets.MAX_LIST


def test_the_second_list_goes_with_valid_alone(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path / f"{name}.jpg")
        write(tmp_path / f"{name}.txt", LINE)
    write(tmp_path / "train.txt", "a.jpg\nb.jpg\n")
    write(tmp_path / "valid.txt", "c.jpg\n")
    data = write(tmp_path / "x.data", "train=train.txt\nvalid=valid.txt\ndifficult=valid.txt\n")
    assert [e.difficult for e in open_dataset(data, "train").examples] == [None, None]
    assert [e.difficult for e in open_dataset(data, "valid").examples] == [tmp_path / "c.txt"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_list_is_read_in_any_encoding_of_unicode(tmp_path: Path, encoding: str) -> None:
    picture = tmp_path / "ü.png"
    picture.write_bytes(b"")
    (tmp_path / "all.txt").write_bytes(f"{picture}\r\n".encode(encoding))
    assert list_pictures(tmp_path / "all.txt") == [picture]


def test_a_list_of_other_bytes_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_bytes(bytes(range(32)) * 3)
    with pytest.raises(DataError, match="this is no list of pictures"):
        list_pictures(tmp_path / "all.txt")


def test_the_empty_list_of_a_data_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("\n")
    (tmp_path / "my.data").write_text("valid=none.txt\n")
    with pytest.raises(DataError, match=r"my\.data: no pictures in .*none\.txt, which valid= names"):
        list_pictures(tmp_path / "my.data")


def test_a_path_with_blanks_in_a_data_file_gets_a_hint(tmp_path: Path) -> None:
    (tmp_path / "my.data").write_text("valid = my pictures\n")
    with pytest.raises(DataError, match=r"names mypictures, which is no file.*\n  hint: Darknet takes blanks out"):
        list_pictures(tmp_path / "my.data")
