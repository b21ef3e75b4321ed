"""The training of COCO's 80 classes: what is looked for where, its schedule, and that it stops and goes on."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SHARED

pytest.importorskip("torch")

from darknet_py.errors import DataError
from tools.train.coco import train

PICTURES = 4


def write_split(folder: Path, split: str) -> None:
    """Drawn pictures as COCO's archives have them, in `folder`/`split`2017, each with one object of two classes."""
    images = [{"id": i, "file_name": f"{i:012}.jpg", "width": 64, "height": 48} for i in range(PICTURES)]
    box = [8, 8, 24, 16]
    objects = [{"id": i, "image_id": i, "category_id": 1 + 89 * (i % 2), "bbox": box} for i in range(PICTURES)]
    names = [{"id": i, "name": str(i)} for i in (*range(1, 80), 90)]
    (folder / f"{split}2017").mkdir(parents=True)
    (folder / "annotations").mkdir(exist_ok=True)
    for image in images:
        assert cv2.imwrite(str(folder / f"{split}2017" / str(image["file_name"])), np.full((48, 64, 3), 99, np.uint8))
    read = {"images": images, "annotations": objects, "categories": names}
    (folder / f"annotations/instances_{split}2017.json").write_text(json.dumps(read))


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    for split in train.SPLITS:
        write_split(tmp_path / "coco", split)
    return tmp_path / "coco"


def test_the_whole_is_the_published_schedule(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (coco / "backup").mkdir()
    command = [str(coco), "--backup", str(coco / "backup"), "--max-batches", "10"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("darknet_py.cli.train.follow", lambda plan, *_: plans.append(plan) or 0)
        plans: list[train.Plan] = []
        assert train.main(command[:3]) == 0
        assert train.main(command) == 0
    (whole, short) = plans
    assert (whole.net.batch, whole.net.subdivisions, whole.net.max_batches) == (64, 16, 500_500)
    assert whole.net.steps == (400_000, 450_000)
    assert short.net.max_batches == 10
    assert whole.data == coco / "annotations/instances_train2017.json"
    assert whole.valid == coco / "annotations/instances_val2017.json"
    assert "500,500 iterations of 64 pictures, 32,032,000 in all" in capsys.readouterr().out


@pytest.mark.heavy
def test_it_stops_and_goes_on_with_64_photos_of_coco(tmp_path: Path) -> None:
    photos = SHARED / "images/coco64/images"
    if not photos.is_dir():
        pytest.skip("needs ../shared/images/coco64")
    given = [
        "--train", str(photos), "--valid", str(photos), "--backup", str(tmp_path),
        "--max-batches", "3",
    ]  # fmt: skip
    assert train.main([*given, "--iterations", "2"]) == 0
    assert train.main(given) == 0
    lines = [json.loads(line) for path in tmp_path.glob("*_log.jsonl") for line in path.read_text().splitlines()]
    assert [line["iteration"] for line in lines if line.get("event") == "step"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "say where the pictures are"),
        (["--train", "a.txt"], "say where the pictures are"),
        (["nowhere"], r"nowhere has no annotations/instances_train\*\.json"),
    ],
)
def test_what_is_missing_is_said(given: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        train.main(given)
