"""Where commands write: what was read stays as it is, what is not ours needs --replace, everyday work needs nothing."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import cv2
import pytest
from networks import picture

import darknet_py
from darknet_py.files import LIST

from .conftest import Run

COMMANDS = {
    "export": ("export", "net.cfg", "--format", "onnx", "-o"), "graph": ("graph", "net.cfg", "-o"),
    "cut": ("cut", "net.cfg", "net.weights"), "dump": ("dump", "net.cfg", "--input", "net.npy", "-o"),
}  # fmt: skip
MORE = {"cut": ("2",)}


def write(run: Run, command: str, path: str, *more: str) -> tuple[int, str]:
    result = run(*COMMANDS[command], path, *MORE.get(command, ()), *more)
    return result.exit_code, result.stderr


@pytest.fixture(autouse=True)
def array(cfg: Path) -> None:
    import numpy as np

    np.save(cfg.with_suffix(".npy"), np.zeros((3, 32, 32), np.float32))


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_wrote_it_writes_again(run: Run, command: str) -> None:
    for _ in range(2):
        assert write(run, command, "out.bin")[0] == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_of_the_users_needs_replace(run: Run, command: str) -> None:
    Path("out.bin").write_bytes(b"precious")
    status, told = write(run, command, "out.bin")
    assert (status, "--replace" in told) == (1, True)
    assert Path("out.bin").read_bytes() == b"precious"
    assert write(run, command, "out.bin", "--replace")[0] == 0
    assert Path("out.bin").read_bytes() != b"precious"


@pytest.mark.fault("output-over-input")
@pytest.mark.parametrize("more", [(), ("--replace",)])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_reads_it_never_writes(run: Run, command: str, more: tuple[str, ...]) -> None:
    for name in ("net.cfg", *(("net.weights",) if command != "graph" else ())):
        before = Path(name).read_bytes()
        status, told = write(run, command, name, *more)
        assert (status, f"{name} was read in this run" in told or "--replace" in told) == (1, True)
        assert Path(name).read_bytes() == before


def test_plot_keeps_to_the_rule(run: Run, cfg: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'darknet-compiler[plot]'")
    Path("a.svg").write_text("precious")
    assert run("plot", cfg, "-o", "a.svg").exit_code == 1
    assert Path("a.svg").read_text() == "precious"
    for more in (("--replace",), ()):
        assert run("plot", cfg, "-o", "a.svg", *more).exit_code == 0


@pytest.mark.fault("photo-overwritten")
@pytest.mark.fault("output-over-input")
@pytest.mark.parametrize("more", [(), ("--replace",)])
def test_photos_are_not_drawn_over(run: Run, cfg: Path, photos: Path, more: tuple[str, ...]) -> None:
    before = {p.name: p.read_bytes() for p in photos.iterdir()}
    result = run("run", cfg, photos, "-o", photos, *more)
    assert result.exit_code == 1
    assert "a.png was read in this run" in result.stderr
    assert {p.name: p.read_bytes() for p in photos.iterdir()} == before
    assert result.stdout == ""


def test_photos_are_told_by_what_they_are_and_not_by_their_path(run: Run, cfg: Path, photos: Path) -> None:
    Path("out").mkdir()
    Path("out/a.png").symlink_to(photos / "a.png")
    Path("links").symlink_to(photos)
    for folder in ("out", "links", photos / ".." / "photos"):
        assert "was read in this run" in run("run", cfg, photos / "a.png", "-o", folder).stderr


def test_the_same_run_may_be_repeated(run: Run, cfg: Path, photos: Path) -> None:
    for _ in range(2):
        assert run("run", cfg, photos, "--save-txt").exit_code == 0
    assert len(list(Path("predictions").glob("*.*g"))) == 2
    Path("predictions/b.png").write_bytes(b"edited")
    result = run("run", cfg, photos)
    assert (result.exit_code, "predictions/b.png exists" in result.stderr) == (1, True)
    assert Path("predictions/b.png").read_bytes() == b"edited"
    assert run("run", cfg, photos, "--replace").exit_code == 0


@pytest.mark.fault("photo-overwritten")
def test_labels_of_a_data_set_are_not_replaced(run: Run, cfg: Path, photos: Path) -> None:
    labels = photos.parent / "labels"
    labels.mkdir()
    (labels / "b.txt").write_text("0 0.5 0.5 1 1\n")
    (labels / "c.txt").write_text("")  # nothing is there to see: a label too
    for name in ("b.png", "c.bmp"):
        before = (labels / name).with_suffix(".txt").read_bytes()
        result = run("run", cfg, photos / name, "-o", photos.parent, "--no-save", "--save-txt")
        assert (result.exit_code, "--replace" in result.stderr) == (1, True)
        assert (labels / name).with_suffix(".txt").read_bytes() == before
    assert run("run", cfg, photos, "-o", photos.parent, "--no-save", "--save-txt", "--replace").exit_code == 0


def test_two_pictures_never_share_an_output(run: Run, cfg: Path, photos: Path) -> None:
    other = photos / "more"
    other.mkdir()
    cv2.imwrite(str(other / "A.png"), picture((2, 2, "blue")))
    shutil.copy(photos / "c.bmp", photos / "a.bmp")
    run("run", cfg, photos / "a.png", other / "A.png", photos / "a.bmp", "-o", "out", "--save-txt")
    assert {p.name for p in Path("out").glob("*.*") if p.name != LIST} == {"a.png", "A-2.png", "a-3.bmp"}
    assert {p.name for p in Path("out/labels").glob("*.txt")} == {"a.txt", "A-2.txt", "a-3.txt"}


def test_a_device_is_written_to(run: Run, cfg: Path) -> None:
    if not Path("/dev/null").exists():
        pytest.skip("needs /dev/null")
    assert run("graph", cfg, "-o", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()


WRITTEN = ("--output", "output", "--plots", "--plot", "--write")


def test_every_option_that_names_an_output_comes_with_replace() -> None:
    found = []
    for path in Path(darknet_py.__file__).parent.glob("cli/*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        options = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func).startswith("click.")]
        if any(isinstance(a, ast.Constant) and a.value in WRITTEN for n in options for a in n.args):
            found.append(path.stem)
            assert "@replace_option" in path.read_text("utf-8"), path
    assert sorted(found) == "anchors batch check dump eval export graph import partial plot prune run weights".split()
