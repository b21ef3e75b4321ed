"""`POST /detect` for people with curl: a picture in any of the usual ways, JSON or a drawn picture back."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from networks import picture
from serving import Live, encoded

from darknet_py import load

RED = picture((1, 2, "red"), (3, 0, "blue"))
PNG = encoded(RED)


def multipart(data: bytes, name: str = "image", before: bytes = b"") -> tuple[bytes, dict[str, str]]:
    head = f'--here\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n\r\n'.encode()
    return before + head + data + b"\r\n--here--\r\n", {"Content-Type": "multipart/form-data; boundary=here"}


def test_a_picture_gives_what_the_model_finds(live: Live, detector_cfg: Path) -> None:
    status, _, answer = live.ask("POST", "/detect", PNG)
    assert status == 200
    found = json.loads(answer)
    wanted = load(detector_cfg)(RED)[0].to_dict()
    assert found["objects"] == wanted["objects"]
    assert (found["width"], found["height"], found["model"]) == (32, 32, "net")
    assert set(found["seconds"]) == {"prepare", "network", "boxes"}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_the_usual_formats_are_read(live: Live, suffix: str) -> None:
    status, _, answer = live.ask("POST", "/detect", encoded(RED.repeat(8, 0).repeat(8, 1), suffix))
    assert status == 200
    assert [o["name"] for o in json.loads(answer)["objects"]] == ["red", "blue"] or suffix == ".jpg"


@pytest.mark.parametrize("suffix", [".tiff", ".jp2", ".ppm", ".hdr"])
def test_other_formats_are_not(live: Live, suffix: str) -> None:
    image = RED.astype(np.float32) if suffix == ".hdr" else RED
    status, _, answer = live.ask("POST", "/detect", encoded(image, suffix))
    assert status == 415
    assert b"JPEG, PNG, WebP or BMP" in answer


def test_a_form_is_read_up_to_its_first_file(live: Live) -> None:
    field = b'--here\r\nContent-Disposition: form-data; name="conf"\r\n\r\n0.9\r\n'
    body, headers = multipart(PNG, before=field)
    status, _, answer = live.ask("POST", "/detect", body, headers)
    assert status == 200
    assert len(json.loads(answer)["objects"]) == 2


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"--here--\r\n", "multipart/form-data; boundary=here"),
        (PNG, "multipart/form-data"),
        (PNG, "multipart/form-data; boundary=here"),
        (multipart(PNG)[0][:-12], "multipart/form-data; boundary=here"),
        (
            b'--here\r\nContent-Disposition: form-data; name="a"\r\n\r\n0.9\r\n' * 40 + b"--here--",
            "multipart/form-data; boundary=here",
        ),
        (b"--here\r\nX: " + b"a" * 9000 + b"\r\n\r\n\r\n--here--", "multipart/form-data; boundary=here"),
    ],
)  # fmt: skip
def test_a_damaged_form_is_said_to_be(live: Live, body: bytes, kind: str) -> None:
    status, _, answer = live.ask("POST", "/detect", body, {"Content-Type": kind})
    assert status == 400
    assert "form" in json.loads(answer)["error"]


@pytest.mark.parametrize(
    ("query", "found"),
    [("conf=0.999999", []), ("conf=red=0.999999", ["blue"]), ("conf=red%3D0.5,0.999999", ["red"]),
     ("classes=blue", ["blue"]), ("classes=1", ["blue"]), ("max_det=1", ["red"]),
     ("iou=0.5", ["red", "blue"]), ("agnostic=true&iou=0", ["red", "blue"]), ("model=net&version=1", ["red", "blue"])],
)  # fmt: skip
def test_what_is_wanted_is_in_the_query(live: Live, query: str, found: list[str]) -> None:
    status, _, answer = live.ask("POST", f"/detect?{query}", PNG)
    assert status == 200
    assert sorted(o["name"] for o in json.loads(answer)["objects"]) == sorted(found)


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("conf=2", 400, "conf is between 0.005 and 1"), ("conf=nan", 400, "conf is"), ("conf=0", 400, "conf is"),
        ("conf=x", 400, "conf is"), ("conf=red=0", 400, "conf is between 0.005 and 1"),
        pytest.param(f"conf={','.join(f'{i}=0.{i}1' for i in range(17))}", 400, "at most 16 thresholds", id="confs"),
        ("conf=green=0.5", 400, "no class 'green'"), ("conf=red=x", 400, "'red=x' is no threshold"),
        ("agnostic=yes", 400, "agnostic is true or false, not yes"),
        ("iou=-1", 400, "iou is"), ("max_det=0", 400, "max_det"),
        ("max_det=99999", 400, "max_det is a number from 1 to 1000"), ("classes=", 400, "classes are names"),
        ("classes=green", 400, "no class 'green'"),
        pytest.param(f"classes={'9' * 5000}", 400, "no class 999", id="digits"),
        ("thresh=0.5", 400, "no parameter 'thresh'"),
        ("conf=0.9&conf=0.1", 400, "something twice"),
        ("format=xml", 400, "format is json or image"), ("model=nit", 404, "did you mean 'net'"),
        ("version=7", 404, "no version '7'"), ("model=../../etc/passwd", 404, "no model"),
    ],
)  # fmt: skip
def test_what_cannot_be_wanted_is_said(live: Live, query: str, status: int, told: str) -> None:
    got, _, answer = live.ask("POST", f"/detect?{query}", PNG)
    assert got == status
    assert told in json.loads(answer)["error"]


@pytest.mark.parametrize(("word", "count"), [("1", 1), ("true", 1), ("True", 1), ("0", 2), ("false", 2)])
def test_one_object_a_place_where_that_is_wanted(live: Live, word: str, count: int) -> None:
    """A cell that is red and blue at once."""
    both = picture((1, 2, "red"), (1, 2, "blue"))
    status, _, answer = live.ask("POST", f"/detect?agnostic={word}", encoded(both, ".png"))
    assert status == 200
    assert len(json.loads(answer)["objects"]) == count


def test_the_picture_comes_back_with_its_boxes(live: Live, detector_cfg: Path) -> None:
    status, headers, answer = live.ask("POST", "/detect?format=image", PNG)
    assert status == 200
    assert headers["content-type"] == "image/jpeg"
    drawn = cv2.imdecode(np.frombuffer(answer, np.uint8), cv2.IMREAD_COLOR)
    wanted = load(detector_cfg)(RED)[0].plot()
    assert np.abs(drawn.astype(int) - wanted).mean() < 12


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", PNG[:20], PNG[:60], b"BM" + bytes(60), b"RIFF0000WEBPVP8 "]
)
def test_what_is_no_picture_is_said_to_be_none(live: Live, body: bytes) -> None:
    status, _, answer = live.ask("POST", "/detect", body)
    assert status in (400, 415)
    assert "picture" in json.loads(answer)["error"]


def test_a_picture_that_was_cut_is_looked_at_and_no_line_of_the_log(
    live: Live, recwarn: pytest.WarningsRecorder
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    status, _, answer = live.ask("POST", "/detect", encoded(noise, ".jpg")[:-100])
    assert status == 200
    assert json.loads(answer)["warning"].startswith("picture: the JPEG was cut")
    assert "warning" not in json.loads(live.ask("POST", "/detect", encoded(noise, ".jpg"))[2])
    _, headers, _ = live.ask("POST", "/detect?format=image", encoded(noise, ".jpg")[:-100])
    assert headers["x-warning"].startswith("picture: the JPEG was cut")
    assert "x-warning" not in live.ask("POST", "/detect?format=image", encoded(noise, ".jpg"))[1]
    cut = base64.b64encode(encoded(noise, ".jpg")[:-100]).decode()
    asked = {"inputs": [{"name": "pictures", "datatype": "BYTES", "shape": [1], "data": [cut]}]}
    _, _, answer = live.ask("POST", "/v2/models/net/infer", json.dumps(asked).encode())
    assert json.loads(answer)["parameters"]["warning"].startswith("0: picture: the JPEG was cut")
    assert not recwarn.list


def test_openapi_describes_it(live: Live) -> None:
    status, told = live.json("GET", "/openapi.json")
    assert status == 200
    operation = told["paths"]["/detect"]["post"]
    assert {p["name"] for p in operation["parameters"]} == {
        "conf", "iou", "classes", "max_det", "agnostic", "format", "model", "version",
    }  # fmt: skip
    assert {"200", "400", "401", "404", "408", "413", "415", "503"} == set(operation["responses"])
    try:
        from openapi_spec_validator import validate
    except ModuleNotFoundError:
        pytest.skip("needs openapi-spec-validator: pip install openapi-spec-validator")
    validate(told)


def test_an_answer_is_what_openapi_says(live: Live) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema: pip install jsonschema")
    told = live.json("GET", "/openapi.json")[1]
    schema = {**told["components"]["schemas"]["Found"], "additionalProperties": False}
    jsonschema.validate(json.loads(live.ask("POST", "/detect", PNG)[2]), schema)
    wrong = {**told["components"]["schemas"]["Wrong"], "additionalProperties": False}
    jsonschema.validate(json.loads(live.ask("POST", "/detect", b"no")[2]), wrong)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt install curl")
@pytest.mark.parametrize("how", [["--data-binary", "@a.png"], ["-F", "image=@a.png"], ["-T", "a.png", "-X", "POST"]])
def test_curl_sends_a_picture_in_each_of_its_ways(live: Live, tmp_path: Path, how: list[str]) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    done = subprocess.run(
        ["curl", "-sS", "--fail-with-body", *how, f"{live.url}/detect?conf=0.5"], cwd=tmp_path, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [o["name"] for o in json.loads(done.stdout)["objects"]] == ["red", "blue"]
