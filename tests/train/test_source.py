"""Pictures that are made when they are wanted, sizes that grow, and a running mean of all that is learned."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from drawn import rectangles

pytest.importorskip("torch")

import torch

from darknet_py import train
from darknet_py.apps.train.data.opening import open_loader
from darknet_py.apps.train.data.sizes import Sizes
from darknet_py.apps.train.data.source import PictureSource
from darknet_py.apps.train.ema import Mean
from darknet_py.apps.train.events import Finished, Saved, Step, Validated
from darknet_py.apps.train.fingerprint import fingerprint
from darknet_py.apps.train.plan import Settings, read_plan
from darknet_py.apps.train.snapshot import read_snapshot
from darknet_py.darknet.compile import compile_cfg
from darknet_py.errors import DataError
from darknet_py.vision.labels import Labels

CFG = """
[net]
width=64
height=64
channels=3
batch=4
subdivisions=2
learning_rate=0.002
max_batches=12
burn_in=2
momentum=0.9
decay=0.0005
flip=0
[convolutional]
batch_normalize=1
filters=8
size=3
stride=8
pad=1
activation=leaky
[convolutional]
filters=14
size=1
[yolo]
mask=0,1
anchors=10,10, 30,30
classes=2
num=2
jitter=0
"""
COUNT = 1 << 40


@dataclass(frozen=True)
class Squares:
    """A white square on black in each picture: its place and class follow the number."""

    names: tuple[str, ...] = ("even", "odd")

    def __len__(self) -> int:
        return COUNT

    def picture(self, number: int, size: tuple[int, int]) -> tuple[np.ndarray, Labels]:
        image = np.zeros((*size, 3), np.uint8)
        left, top = number % 4 * size[1] // 8, number // 4 % 4 * size[0] // 8
        image[top : top + size[0] // 4, left : left + size[1] // 4] = 255
        x, y = left / size[1] + 0.125, top / size[0] + 0.125
        return image, Labels.of([(number % 2, x, y, 0.25, 0.25)])

    def describe(self) -> str:
        return "squares"

    def fingerprint(self) -> str:
        return "squares 1"


@dataclass(frozen=True)
class Others(Squares):
    """The same of another kind."""

    def fingerprint(self) -> str:
        return "squares 2"


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    path = tmp_path / "my.cfg"
    path.write_text(CFG)
    return path


def test_a_source_is_known_by_what_it_has() -> None:
    assert isinstance(Squares(), PictureSource)


def test_what_a_source_gives_is_learned_as_it_is() -> None:
    loader = open_loader(Squares(), compile_cfg(CFG).check(), seed=3)
    sample = loader.sample(5, (32, 32))
    assert sample.rows is not None
    x, y, w, h, cls, _ = sample.rows[0]
    assert (w, h) == (0.25, 0.25)
    rows, columns = np.nonzero(sample.image[0] > 0.5)
    assert (columns.min() / 32, rows.min() / 32) == pytest.approx((x - 0.125, y - 0.125))
    number = int(sample.path.rpartition(" ")[2])
    assert (number % 2, number < COUNT) == (cls, True)
    assert not loader.examples.look_over().any()


def test_pictures_of_a_source_hardly_ever_come_twice() -> None:
    loader = open_loader(Squares(), compile_cfg(CFG).check())
    paths = [path for n in range(40) for path in loader.batch(n, (16, 16)).paths]
    assert len(set(paths)) == len(paths)


def test_another_source_has_another_fingerprint() -> None:
    one, other = (fingerprint(open_loader(data, compile_cfg(CFG).check())) for data in (Squares(), Others()))
    assert one != other == fingerprint(open_loader(Others(), compile_cfg(CFG).check()))


def test_a_source_is_trained_on_and_its_training_goes_on_bit_by_bit(cfg: Path, tmp_path: Path) -> None:
    settings: dict[str, object] = {"threads": 1, "workers": 0, "ema": 0.9, "sizes": ((0, 32), (6, 64))}
    whole = [*train(cfg, Squares(), backup=tmp_path / "whole", **settings)]
    assert [one.size[0] for one in whole if isinstance(one, Step)] == [32] * 6 + [64] * 6
    for last in (4, 9, None):
        end = [*train(cfg, Squares(), backup=tmp_path / "parts", iterations=last, **settings)][-1]
    assert isinstance(end, Finished)
    assert end.reason == "done"
    for name in ("my_final.weights", "my_last.weights"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    assert (tmp_path / "whole/my_final.weights").read_bytes() != (tmp_path / "whole/my_last.weights").read_bytes()


def test_the_mean_is_measured_and_saved_as_the_best(cfg: Path, tmp_path: Path) -> None:
    valid = rectangles(tmp_path / "valid")
    events = [*train(
        cfg, Squares(), backup=tmp_path / "b", valid=valid, map_=True, map_each=4, ema=0.5, threads=1, workers=0,
    )]  # fmt: skip
    measured = [one for one in events if isinstance(one, Validated)]
    assert [one.iteration for one in measured] == [4, 8, 12]
    assert all(len(one.classes) == 2 and np.mean(one.classes) == pytest.approx(one.value) for one in measured)
    kinds = [one.kind for one in events if isinstance(one, Saved)]
    assert "best" in kinds
    state = read_snapshot(tmp_path / "b/my_last.state")
    assert state.mean["count"] == 12


def test_the_mean_forgets_its_random_beginning_and_gives_the_module_back() -> None:
    module = torch.nn.BatchNorm1d(2)
    mean = Mean(module, 0.999)
    with torch.no_grad():
        module.weight.fill_(5)
        module.running_mean.fill_(7)
    for _ in range(60):
        mean.update()
    with mean.in_place():
        assert torch.allclose(module.weight, torch.full((2,), 5.0), atol=1e-3)
        assert torch.allclose(module.running_mean, torch.full((2,), 7.0), atol=1e-2)
    assert module.weight[0] == 5
    other = Mean(module, 0.999)
    other.load_state_dict(mean.state_dict())
    assert other.state_dict()["count"] == 60


def test_sizes_grow_at_their_iterations() -> None:
    sizes = Sizes(416, 416, 8, grows=((0, 224), (10, 320), (20, 416)))
    assert [sizes.at(n).height for n in (0, 9, 10, 19, 20, 99)] == [224, 224, 320, 320, 416, 416]
    assert sizes.largest() == (416, 416)


def test_what_cannot_be_is_said(cfg: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pairs of iteration and side"):
        Settings(sizes=((5, 224),))
    with pytest.raises(DataError, match="share that a mean keeps"):
        Settings(ema=1.5)
    with pytest.raises(DataError, match="has no end: say which pictures"):
        list(train(cfg, Squares(), backup=tmp_path / "b", map_=True))
    classifier = re.sub(r"\[yolo\].*", "[avgpool]\n[softmax]\n", CFG, flags=re.DOTALL)
    cfg.write_text(classifier)
    with pytest.raises(DataError, match="no head that learns them"):
        list(train(cfg, Squares(), backup=tmp_path / "c", names=_names(tmp_path)))


def _names(folder: Path) -> Path:
    path = folder / "my.names"
    path.write_text("".join(f"{n}\n" for n in range(14)))
    return path


def test_a_plan_of_a_source_says_so(cfg: Path) -> None:
    plan = read_plan(cfg, Squares(), settings=Settings(ema=0.9, sizes=((0, 32),)))
    assert "Squares" in plan.written_down()["data"]
    assert plan.settings.beyond_darknet() == ("32x32 from iteration 0 on", "ema=0.9")
