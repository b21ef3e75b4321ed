"""Networks that come with their weights: found by name, checked, listed, and named where another has none."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

import darknet_py
from darknet_py import load
from darknet_py.cli import main
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import random_weights, write_weights
from darknet_py.errors import WeightsMissing, ZooError
from darknet_py.zoo import models as zoo
from darknet_py.zoo import shipped
from darknet_py.zoo.find import find_cfg, find_weights
from darknet_py.zoo.shipped import ShippedNetwork, shipped_networks
from tools import demo

ROOT = Path(darknet_py.__file__).parents[1]
NAME = "yolov3-csppelee-efm-codes"
KINDS = ["barcode", "qrcode", "datamatrix", "aztec", "pdf417"]
FILE = ROOT / "weights" / f"{NAME}.weights"
EXAMPLE = ROOT / "tools/train/codes/example.webp"
REAL = pytest.mark.skipif(not FILE.is_file(), reason=f"the weights are not here yet: {FILE}")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in arguments], prog_name="darknet-py")


@pytest.fixture(scope="module")
def drawn_lots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the network."""
    path = tmp_path_factory.mktemp("lots") / f"{NAME}.weights"
    graph = compile_file(find_cfg(NAME)).check().graph
    write_weights(path, graph, random_weights(graph, 0))
    return path


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what comes with the package, empty, and a user who stands in another one without a network."""
    (tmp_path / "package").mkdir()
    (tmp_path / "user").mkdir()
    real = shipped.own_folders
    monkeypatch.setattr(
        shipped, "own_folders", lambda kind: (tmp_path / "package",) if kind == "weights" else real(kind)
    )
    monkeypatch.chdir(tmp_path / "user")
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("a connection was asked for"))
    return tmp_path / "package"


@pytest.fixture
def given(elsewhere: Path, drawn_lots: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights file that comes with the package, with its entry in the list."""
    path = elsewhere / drawn_lots.name
    shutil.copy(drawn_lots, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    listed(monkeypatch, ShippedNetwork(NAME, path.stat().st_size, digest))
    return path


def listed(monkeypatch: pytest.MonkeyPatch, *networks: ShippedNetwork) -> None:
    monkeypatch.setattr(shipped, "shipped_networks", lambda: {network.name: network for network in networks})


def write_picture() -> str:
    cv2.imwrite("photo.png", np.full((60, 80, 3), 120, np.uint8))
    return "photo.png"


# -- found by name ----------------------------------------------------------------------------------------------------


def test_the_name_is_enough_and_the_classes_have_names(given: Path) -> None:
    model = load(NAME, quiet=True)
    assert list(model.names.values()) == KINDS
    done = run("run", NAME, write_picture(), "--json", "--conf", "0.9")
    assert done.exit_code == 0
    assert "fetch" not in done.stderr


@pytest.mark.parametrize("name", [NAME, f"{NAME}.cfg"])
def test_the_weights_that_come_along_are_found(given: Path, name: str) -> None:
    assert find_weights(find_cfg(name)) == given


def test_weights_that_are_named_win(given: Path, drawn_lots: Path) -> None:
    given.write_bytes(b"not looked at")
    assert run("run", NAME, write_picture(), "--weights", drawn_lots, "--json", "--conf", "0.9").exit_code == 0


@pytest.mark.parametrize("own", [f"{NAME}.weights", f"{NAME}_best.weights", f"weights/{NAME}.weights"])
def test_weights_of_the_users_own_win(given: Path, own: str) -> None:
    shutil.copy(find_cfg(NAME), "mine.cfg")
    Path("mine.cfg").rename(f"{NAME}.cfg")
    Path("weights").mkdir()
    Path(own).write_bytes(b"mine")
    assert find_weights(Path(f"{NAME}.cfg")) == Path(own)


@pytest.mark.parametrize("name", [NAME, f"{NAME}.cfg"])
@pytest.mark.parametrize("other", [f"{NAME}.weights", f"{NAME}_best.weights"])
def test_the_bare_name_takes_nothing_else_from_where_one_stands(given: Path, name: str, other: str) -> None:
    Path("weights").mkdir()
    Path("weights", other).write_bytes(b"of another version of the checkout, or damaged, and checked by nobody")
    assert find_weights(find_cfg(name)) == given
    assert run("download", NAME).stdout.splitlines()[1] == str(given)


def test_where_those_that_come_along_lack_a_folder_of_weights_is_looked_at(given: Path) -> None:
    given.unlink()
    Path("weights").mkdir()
    mine = Path("weights", given.name)
    mine.write_bytes(b"mine")
    assert find_weights(find_cfg(NAME)) == mine


def test_a_copy_of_the_cfg_alone_has_the_names_of_its_classes(given: Path) -> None:
    shutil.copy(find_cfg(NAME), f"{NAME}.cfg")
    assert list(load(f"{NAME}.cfg", quiet=True).names.values()) == KINDS
    Path("mine.names").write_text("a\nb\nc\nd\ne\n")
    assert list(load(f"{NAME}.cfg", quiet=True).names.values()) == ["a", "b", "c", "d", "e"]


def test_a_cfg_of_that_name_with_other_classes_has_none_of_them(given: Path) -> None:
    cfg = Path(f"{NAME}.cfg")
    cfg.write_text(find_cfg(NAME).read_text().replace("classes=5", "classes=3").replace("filters=30", "filters=24"))
    model = load(cfg, random_weights=0, quiet=True)
    assert list(model.names.values()) == ["0", "1", "2"]


def test_a_copy_of_the_cfg_alone_gets_those_that_come_along(given: Path) -> None:
    shutil.copy(find_cfg(NAME), f"{NAME}.cfg")
    assert find_weights(Path(f"{NAME}.cfg")) == given


# -- checked ----------------------------------------------------------------------------------------------------------


def _flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (lambda data: data[:-4], "bytes, not"), "one bit": (_flip, "its sha256 is"),
    "empty": (lambda _: b"", "it has 0"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_an_error_that_says_how_it_comes_back(given: Path, damage: str) -> None:
    assert find_weights(find_cfg(NAME)) == given  # and its sha256 is remembered
    change, said = DAMAGES[damage]
    given.write_bytes(change(given.read_bytes()))
    with pytest.raises(ZooError, match=rf"is not the file that comes with darknet-py: .*{said}"):
        load(NAME, quiet=True)
    result = run("run", NAME, write_picture())
    assert result.exit_code == 1
    assert f"`git checkout weights/{NAME}.weights` brings it back" in result.stderr
    assert f"--weights {given}" in result.stderr
    assert "damaged" in run("models", NAME).stdout


def test_in_a_checkout_the_folder_one_stands_in_is_checked_too(given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given.parent.rename(given.parents[1] / "weights")
    folder = given.parents[1] / "weights"
    real = shipped.own_folders
    monkeypatch.setattr(shipped, "own_folders", lambda kind: (folder,) if kind == "weights" else real(kind))
    monkeypatch.chdir(folder.parent)
    (folder / given.name).write_bytes(b"?")
    with pytest.raises(ZooError, match="it has 1 bytes"):
        find_weights(find_cfg(NAME))


@pytest.mark.parametrize("networks", [(), (ShippedNetwork(NAME),)])
def test_a_list_that_says_nothing_yet_lets_every_file_through(
    given: Path, networks: tuple[ShippedNetwork, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(monkeypatch, *networks)
    given.write_bytes(b"any")
    assert find_weights(find_cfg(NAME)) == given


def test_the_list_is_of_installed_networks_with_names() -> None:
    for name, network in shipped_networks().items():
        assert find_cfg(name).with_suffix(".names").is_file()
        assert network.sha256 is None or re.fullmatch("[0-9a-f]{64}", network.sha256)
        assert (network.size is None) == (network.sha256 is None)


# -- where it is not here ---------------------------------------------------------------------------------------------


def test_before_it_is_trained_it_says_how_it_is(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, ShippedNetwork(NAME))
    with pytest.raises(WeightsMissing, match=r"they are not trained yet\n  hint: `make weights`"):
        load(NAME, quiet=True)
    assert f"{NAME}.cfg" in run("models", NAME).stdout
    assert run("download", NAME).exit_code == 1


def test_a_file_that_got_lost_is_named(given: Path) -> None:
    given.unlink()
    result = run("run", NAME, write_picture())
    assert result.exit_code == 1
    assert f"weights/{NAME}.weights, which comes with darknet-py, is missing" in result.stderr
    assert "git checkout" in result.stderr


# -- listed -----------------------------------------------------------------------------------------------------------


def test_models_lists_it_as_trained_and_here(given: Path) -> None:
    done = run("models", "yolov3-csppelee-efm*")
    assert done.stderr.splitlines()[0] == "trained here, and come with darknet-py:"
    name, size, unit, here, *_ = done.stdout.splitlines()[0].split()
    assert (name, size, unit, here) == (NAME, "17.1", "MB", "here")
    assert f"{NAME}.cfg" not in done.stdout
    assert "yolov3-csppelee-efm.cfg" in done.stdout
    (said,) = json.loads(run("models", NAME, "--json").stdout)
    assert (said["trained"], said["shipped"], said["cached"]) == (True, True, True)
    assert said["weights"]["sha256"] == hashlib.sha256(given.read_bytes()).hexdigest()


def test_download_says_that_it_is_here(given: Path) -> None:
    done = run("download", NAME)
    assert done.exit_code == 0
    assert done.stderr == f"{NAME} comes with darknet-py: nothing is fetched\n"
    cfg, weights, names = map(Path, done.stdout.splitlines())
    assert (cfg.name, weights, names.read_text().split()) == (f"{NAME}.cfg", given, KINDS)


def test_its_sibling_without_weights_names_it_and_the_stand_in(given: Path) -> None:
    said = run("run", "yolov3-csppelee-efm.cfg", write_picture()).stderr
    assert "no weights for yolov3-csppelee-efm: none are published" in said
    assert f"`darknet-py run {NAME} photo.png` runs this network as it is trained here, to find {KINDS[0]}" in said
    assert "`darknet-py run yolov4-tiny photo.png` runs a trained detector" in said
    other = run("run", "csresnext50-panet-spp.cfg", "photo.png").stderr
    assert NAME not in other
    assert "`darknet-py run yolov4-tiny photo.png`" in other


def test_what_lists_models_knows_it(given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"did you mean '{NAME}'" in run("download", "yolov3-csppelee-efm-code").stderr
    assert f"{NAME} comes with darknet-py" in run("download", "zzz").stderr


# -- packed -----------------------------------------------------------------------------------------------------------

needs_checkout = pytest.mark.skipif(
    not (ROOT / "setup.cfg").is_file(), reason="needs a checkout: setup.cfg is not installed"
)


@needs_checkout
def test_the_package_has_these_weights_and_no_others() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = [f"{name}.{suffix}" for name in shipped_networks() for suffix in ("weights", "md")]
    assert setup["options.package_data"]["darknet_py.weights"].split() == wanted
    assert "darknet_py.weights = weights" in setup["options"]["package_dir"]
    assert not (ROOT / "darknet_py/weights.py").exists()


@needs_checkout
@pytest.mark.skipif(not shutil.which("git") or not (ROOT / ".git").exists(), reason="needs git, and a clone")
def test_git_takes_these_weights_and_no_others() -> None:
    names = [f"{NAME}.weights", f"{NAME}_best.weights", "yolov4.weights"]
    asked = [f"weights/{name}" for name in names]
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", *asked], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == asked[1:]


# -- the demo ---------------------------------------------------------------------------------------------------------


def _nothing(*_: object, **__: object) -> None:
    raise ZooError("no mirror answers")


def test_the_demo_without_a_connection(
    given: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "fetch", _nothing)
    demo.main()
    said = capsys.readouterr().out
    assert f"{NAME} on {demo.EXAMPLE}:" in said
    assert f"the picture: {Path('predictions/codes.jpg').resolve()}" in said
    assert Path("predictions/codes.jpg").is_file()
    assert said.splitlines()[-1] == "yolov4-tiny could not be fetched: `darknet-py download yolov4-tiny` says why"


def test_the_demo_goes_on_without_the_weights(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: Path
) -> None:
    cv2.imwrite("street.jpg", np.full((60, 80, 3), 120, np.uint8))
    files = zoo.Fetched(Path("a"), Path("b"), Path("c"), Path("street.jpg"))
    monkeypatch.setattr(demo, "fetch", lambda *_, **__: files)
    model = load(NAME, quiet=True)
    given.unlink()
    monkeypatch.setattr(demo, "load", lambda name, **say: model if name == demo.FETCHED else load(name, **say))
    demo.main()
    said = capsys.readouterr().out
    assert said.startswith(f"no weights for {NAME}")
    assert Path("predictions/demo.jpg").is_file()


# -- the network itself -----------------------------------------------------------------------------------------------


@REAL
def test_the_real_file_is_what_the_list_says() -> None:
    network = shipped_networks()[NAME]
    assert network.weights == FILE
    assert network.sha256 is not None
    assert network.damage(FILE) is None
    assert FILE.with_suffix(".md").is_file()


@REAL
def test_the_real_network_finds_all_codes_of_the_example() -> None:
    result = load(NAME, quiet=True)(EXAMPLE, conf=0.25)[0]
    found = Counter(KINDS[int(number)] for number in result.boxes.cls)
    there = Counter(barcode=2, qrcode=2, datamatrix=1, aztec=1, pdf417=1)
    assert not there - found
    assert (found - there).total() <= 2


@REAL
def test_the_real_network_says_what_codes_say(tmp_path: Path) -> None:
    pytest.importorskip("zxingcpp", reason="needs zxing-cpp: pip install zxing-cpp")
    done = run("run", NAME, EXAMPLE, "--decode", "--json", "--no-save")
    (said,) = json.loads(done.stdout)
    texts = {found.get("text") for found in said["objects"]}
    assert len({"5901234123457", "https://example.org/menu", "DK4711081529", "WIFI:S:GUEST;;"} & texts) >= 3
