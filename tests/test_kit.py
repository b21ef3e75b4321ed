"""The conformance kit: it is built, runs without this package, and tells right from wrong, refused and crashed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from darknet_py.ir import compare
from tools.conformance.build import ROOT, build, build_wheel
from tools.conformance.darknet_conformance import cases
from tools.conformance.programs.answering import Refused, of_pictures
from tools.conformance.scoreboard import PROGRAMS, write_scoreboard

# Programs in the protocol, as short as they can be.
RIGHT = """
import numpy as np, pathlib, sys
def call(words):
    action, cfg, weights, given, out = words[0], *map(pathlib.Path, words[1:4]), pathlib.Path(words[-1])
    if not weights.is_file():
        return "no weights"
    EXTRA
    expected = np.load(pathlib.Path(CASES, CASE, "expected.npz"))
    for layer in expected.files:
        np.save(out / f"layer_{layer}.npy", expected[layer][None] + OFF)
    return ""
"""
ONCE = "said = call(sys.argv[1:])\nprint(said, file=sys.stderr)\nsys.exit(bool(said))\n"
SERVED = "import json\nfor line in sys.stdin: print(json.dumps([0, call(json.loads(line))]), flush=True)\n"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kit")
    assert build(folder) > 340
    return folder


def program(kit: Path, folder: Path, *, off: str = "0", extra: str = "", served: bool = False) -> list[str]:
    head = f"CASES = {str(kit / 'darknet_conformance/data/inference')!r}\nCASE = 'up_2'\nOFF = {off}\n"
    text = head + RIGHT.replace("EXTRA", extra or "pass") + (SERVED if served else ONCE)
    (folder / "program.py").write_text(text)
    return [sys.executable, str(folder / "program.py")]


def run(kit: Path, *arguments: str, beside: tuple[Path, ...] = ()) -> tuple[int, str]:
    """What the runner says; it finds nothing but the kit, and what lies in other folders `beside` it."""
    words = [sys.executable, "-m", "darknet_conformance", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (kit, *beside)))}
    done = subprocess.run(words, env=environment, cwd=kit, capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stdout + done.stderr


def test_every_kind_of_case_is_there(kit: Path) -> None:
    status, told = run(kit, "--list")
    assert status == 0
    kinds = [line.split()[0] for line in told.splitlines()]
    assert kinds.count("inference") > 270
    assert kinds.count("training") >= 45
    assert kinds.count("refusal") >= 20


@pytest.mark.parametrize("served", [False, True])
def test_a_program_that_is_right(kit: Path, tmp_path: Path, served: bool) -> None:
    options = ["--match", "up_2", *(["--serve"] if served else []), "--json", str(tmp_path / "verdicts.json")]
    status, told = run(kit, *options, *program(kit, tmp_path, served=served))
    assert (status, told) == (0, "inference: 1 cases, 1 right\n")
    (verdict,) = json.loads((tmp_path / "verdicts.json").read_text())
    assert (verdict["status"], verdict["off"]) == ("right", 0)


@pytest.mark.parametrize(
    ("off", "extra", "told"),
    [
        ("1", "", r"inference up_2: wrong by \d"),
        ("0", "return 'no such layer'", "inference up_2: refused no such layer"),
        ("0", "import os; os.kill(os.getpid(), 11)", "inference up_2: crashed signal 11"),
        ("0", "import time; time.sleep(60)", "inference up_2: slow no answer in 3 s"),
        ("0", "return ''", "inference up_2: refused it wrote no layer_1"),
    ],
)  # fmt: skip
def test_a_program_that_is_not(kit: Path, tmp_path: Path, off: str, extra: str, told: str) -> None:
    options = ["--match", "up_2", "--timeout", "3" if "sleep" in extra else "60"]
    status, said = run(kit, *options, *program(kit, tmp_path, off=off, extra=extra))
    assert status == 1
    assert re.search(told, said), said


def test_the_first_wrong_layer_is_named(kit: Path, tmp_path: Path) -> None:
    _, told = run(kit, "--match", "up_2", *program(kit, tmp_path, off="1e9"))
    assert "from layer 0 on" in told


def test_a_refusal_of_what_darknet_refuses_is_right(kit: Path, tmp_path: Path) -> None:
    name = next(iter(sorted((kit / "darknet_conformance/data/refusal").iterdir()))).name
    status, told = run(kit, "--kind", "refusal", "--match", name, *program(kit, tmp_path, extra="return 'no'"))
    assert (status, told) == (0, "refusal: 1 cases, 1 right\n")
    status, told = run(kit, "--kind", "refusal", "--match", name, sys.executable, "-c", "pass")
    assert status == 1
    assert "taken, and Darknet stops at it" in told


OURS = (sys.executable, str(ROOT / "tools/conformance/programs/ours.py"))


def test_this_package_is_right(kit: Path) -> None:
    words = ["--serve", "--kind", "inference", "--match", "[ry]o*_[bt]*", *OURS, "numpy"]
    status, told = run(kit, *words, beside=(ROOT,))
    assert status == 0, told


def test_the_trainer_of_this_package_is_right(kit: Path) -> None:
    pytest.importorskip("torch")
    status, told = run(kit, "--kind", "training", "--match", "conv_*", *OURS, "torch", beside=(ROOT,))
    assert status == 0, told


def test_the_wheel_is_the_same_each_time_and_holds_the_cases(tmp_path: Path) -> None:
    first, second = build_wheel(tmp_path / "a"), build_wheel(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as wheel:
        names = wheel.namelist()
        assert wheel.testzip() is None
    assert "darknet_conformance/data/inference/up_2/expected.npz" in names
    assert any(name.endswith("dist-info/RECORD") for name in names)


def test_the_scoreboard_says_what_the_verdicts_say() -> None:
    rows = [
        {"kind": "inference", "name": "conv_a", "status": "right"},
        {"kind": "inference", "name": "conv_b", "status": "wrong"},
        {"kind": "refusal", "name": "bad", "status": "right"},
    ]
    page = write_scoreboard({"numpy": rows})
    assert "| darknet-py, NumPy | 1 of 2 | 1 | 0 | 0 |  | 1 of 1 |" in page
    assert "| conv | 1 / 2 |" in page


def test_the_scoreboard_is_of_programs_that_are_known() -> None:
    page = (ROOT / "tools/conformance/SCOREBOARD.md").read_text("utf-8")
    titles = [line.split("|")[1].strip() for line in page.splitlines() if " of " in line and line.startswith("|")]
    assert titles
    assert set(titles) <= {p.title for p in PROGRAMS.values()}


def test_the_kit_imports_nothing_of_ours() -> None:
    paths = list((ROOT / "tools/conformance/darknet_conformance").glob("*.py"))
    assert paths
    for path in paths:
        assert "darknet_py" not in path.read_text("utf-8")


@pytest.mark.parametrize("got", [[1, 2, 4], [1, 2.5, 4], [1, np.nan, 4], [np.inf, 2, 4], [-3e38, 2, 4], [1, 2]])
@pytest.mark.parametrize("wanted", [[1, 2, 4], [1, np.nan, 4], [np.inf, 2, 4], [-3e38, 2, 4], [0, 0, 0]])
def test_the_kit_compares_as_this_package_does(got: list[float], wanted: list[float]) -> None:
    given = np.array(got, np.float32), np.array(wanted, np.float32)
    assert cases.difference(*given) == compare.difference(*given)
    assert cases.HUGE == compare.HUGE


def test_a_program_that_takes_pictures_only_says_what_it_does_not_take(tmp_path: Path) -> None:
    def infer(cfg: Path, weights: Path | None, x: np.ndarray) -> dict[int, np.ndarray]:
        if weights is None:
            raise Refused("no weights")
        return {7: 2 * x}

    call = of_pictures(infer)
    given = tmp_path / "input.npy"
    words = ["infer", "net.cfg", str(tmp_path / "net.weights"), str(given), str(tmp_path)]
    np.save(given, np.ones(5, np.float32))
    assert call(words) == "it takes pictures"
    np.save(given, np.ones((3, 2, 2), np.float32))
    assert call(words) == "no weights"
    (tmp_path / "net.weights").touch()
    assert call(words) == ""
    assert np.load(tmp_path / "layer_7.npy").tolist() == np.full((1, 3, 2, 2), 2).tolist()
    assert call(["train", *words[1:]]) == "it does not train"
