"""The page in a real browser: Chromium without a window, driven by playwright-core, and its parts without one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from browsing import ROOT, browse
from serving import Live, encoded

from darknet_py import page

FILES = [
    *(ROOT / "darknet_py/apps/serve/page").iterdir(),
    *(page.FOLDER / name for name in (*page.LOOK, "head.html", "picture.html")),
]
BALLS = ((1, 1, (0, 0, 255)), (2, 2, (255, 0, 0)))  # row and column of a cell, and a colour


def balls() -> np.ndarray:
    """Two balls on a lawn, (480, 640, 3) BGR: what the small detector finds, drawn by us."""
    pixels = np.full((480, 640, 3), (40, 110, 50), np.uint8)
    for row, column, colour in BALLS:
        centre = (column * 160 + 80, row * 120 + 60)
        cv2.circle(pixels, centre, 110, tuple(c // 5 for c in colour), -1, cv2.LINE_AA)
        cv2.circle(pixels, centre, 50, colour, -1, cv2.LINE_AA)
        cv2.circle(pixels, (centre[0] - 16, centre[1] - 16), 12, (230, 230, 230), -1, cv2.LINE_AA)
    return pixels


def test_the_page_is_small_and_needs_nothing_else() -> None:
    assert {path.name for path in FILES} == {
        "index.html",
        "page.js",
        "look.css",
        "look.js",
        "head.html",
        "picture.html",
    }
    assert sum(path.stat().st_size for path in FILES) < 16_000
    for path in FILES:
        assert not re.search("https?:|@import|eval|innerHTML|document.write", path.read_text()), path.name


@pytest.fixture(scope="module")
def seen(live: Live, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a person who uses the page sees."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "balls.png").write_bytes(encoded(balls()))
    (folder / "camera.mjpeg").write_bytes(encoded(balls(), ".jpg") * 2)
    told = browse(Path(__file__).with_name("browser.mjs"), live.url, folder, folder / "balls.png")
    if place := os.environ.get("DARKNET_PY_PAGE_PICTURE"):  # how the picture in the docs is made
        shutil.copy(folder / "page.png", place)
    return {**told, "folder": folder}


def test_a_picture_is_shown_with_its_boxes_and_times(seen: dict[str, Any]) -> None:
    assert [row[0] for row in seen["found"]] == ["red", "blue"]
    assert all(re.fullmatch(r"\d+ %", row[1]) for row in seen["found"])
    assert seen["found"][0][2] == "80, 60, 400, 300"
    assert re.fullmatch(r"The picture with red \d+ %, blue \d+ %", seen["label"])
    assert re.match(r"\d+ ms in all: \d+ ms to decode and resize, \d+ ms for the network", seen["times"])
    assert seen["size"] == [640, 480]


def test_the_page_asks_nobody_else_and_breaks_no_rule(seen: dict[str, Any]) -> None:
    assert seen["foreign"] == []
    assert seen["errors"] == []


def test_the_threshold_is_slid_without_asking_again(seen: dict[str, Any]) -> None:
    assert len(seen["atLeast"]) >= len(seen["found"]) >= len(seen["atMost"])


def test_the_line_that_is_copied_does_the_same(seen: dict[str, Any]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl: apt install curl")
    done = subprocess.run(seen["curl"], shell=True, cwd=seen["folder"], capture_output=True, timeout=60, check=True)
    assert [o["name"] for o in json.loads(done.stdout)["objects"]] == ["red", "blue"]


def test_pictures_are_dropped_and_come_from_a_camera(seen: dict[str, Any]) -> None:
    assert [row[0] for row in seen["dropped"]] == ["red", "blue"]
    assert sorted(row[0] for row in seen["camera"]) == ["blue", "red"]
    assert seen["pressed"] == "true"


def test_what_is_wrong_is_said(seen: dict[str, Any]) -> None:
    assert seen["wrong"] == "wrong"


def test_it_is_used_by_keyboard_and_read_aloud(seen: dict[str, Any]) -> None:
    assert seen["order"] == ["model", "choose", "camera", "conf", "line", "copy"]
    assert seen["unlabelled"] == []
    for part in ('heading "darknet-py" [level=1]', 'combobox "Model"', 'button "Choose a file"', "slider", "status",
                 'img "The picture with', 'columnheader "How sure"'):  # fmt: skip
        assert part in seen["tree"], seen["tree"]


def test_it_fits_a_telephone(seen: dict[str, Any]) -> None:
    assert seen["wide"] <= 360
