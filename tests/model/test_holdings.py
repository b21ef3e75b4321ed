"""What the cache holds is counted kind by kind and removed; what this package has not put there stays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from networks import write_detector

from darknet_py import clear_holdings, list_holdings, load
from darknet_py.analysis.evaluate.record import evaluations
from darknet_py.backends import auto
from darknet_py.errors import DataError
from darknet_py.files import cache_dir
from darknet_py.holding.hashes import notes
from darknet_py.model import cache, holdings
from darknet_py.zoo.models import File, ZooModel, models

CFG = "[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # the sha256 of nothing


ONE_OF_EACH = {
    "networks": 1, "models": 1, "checkpoints": 0, "imported": 0, "measurements": 1, "evaluations": 1, "hashes": 1,
}  # fmt: skip


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one of each kind, and three files that are the user's."""
    model = replace(models()["yolov4-tiny"], weights=File("yolov4-tiny.weights", 0, EMPTY, ()))
    monkeypatch.setattr(holdings, "models", lambda: {"yolov4-tiny": model})
    load(write_detector(tmp_path))
    folder = cache_dir() / "yolov4-tiny"
    for path in (
        folder / "yolov4-tiny.weights", folder / "yolov4-tiny.names", auto.measurements() / f"{'a' * 32}.json",
        notes() / "notes", evaluations() / f"{'b' * 32}.npy", *users(model),
    ):  # fmt: skip
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine" if path in users(model) else "")
    return cache_dir()


def users(model: ZooModel) -> tuple[Path, ...]:
    return model.folder / model.cfg.name, cache.root() / "notes.txt", cache_dir() / "photo.jpg"


def counts() -> dict[str, int]:
    return {holding.kind: holding.entries for holding in list_holdings()}


def test_every_kind_is_counted(filled: Path) -> None:
    assert counts() == {
        "networks": 1,
        "models": 1,
        "checkpoints": 0,
        "imported": 0,
        "measurements": 1,
        "evaluations": 1,
        "hashes": 1,
    }
    networks = list_holdings(["networks"])[0]
    (entry,) = cache.entries()[:1] if cache.entries()[0].is_dir() else cache.entries()[1:]
    assert networks.bytes == sum(path.stat().st_size for path in entry.iterdir())
    assert networks.folder == cache.root()


def test_an_empty_cache_holds_nothing() -> None:
    assert set(counts().values()) == {0}
    assert set(clear_holdings()) == set(list_holdings())


def test_what_is_removed_is_said_and_what_is_the_users_stays(filled: Path) -> None:
    before = list_holdings()
    kept = {path: path.read_text() for path in users(holdings.models()["yolov4-tiny"])}
    assert clear_holdings() == before
    assert set(counts().values()) == {0}
    assert {path for path in filled.rglob("*") if path.is_file()} == set(kept)
    assert all(path.read_text() == "mine" for path in kept)


def test_one_kind_alone_can_be_removed(filled: Path) -> None:
    (removed,) = clear_holdings(["networks"])
    assert removed.entries == 1
    assert counts() == {
        "networks": 0,
        "models": 1,
        "checkpoints": 0,
        "imported": 0,
        "measurements": 1,
        "evaluations": 1,
        "hashes": 1,
    }


def test_a_folder_that_others_could_write_is_closed_by_removing_it(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    load(cfg)
    cache.root().chmod(0o777)
    clear_holdings()
    load(cfg)
    assert cache.find_doubt_about("") is None
    assert counts()["networks"] == 1


def test_a_kind_that_does_not_exist_is_an_error_with_the_closest() -> None:
    with pytest.raises(DataError, match="did you mean 'networks'"):
        clear_holdings(["netwrks"])


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.mkdir()
    (target / "file").write_text("mine")
    cache.root().mkdir(parents=True)
    (cache.root() / ("a" * 40)).symlink_to(target)
    clear_holdings()
    assert (target / "file").read_text() == "mine"
    assert counts()["networks"] == 0


def test_a_holding_is_plain_data() -> None:
    assert json.dumps([vars(holding) | {"folder": str(holding.folder)} for holding in list_holdings()])
