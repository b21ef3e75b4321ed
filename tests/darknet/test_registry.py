"""Registration is free but visible: here is the list of all section names, and who knows them."""

from __future__ import annotations

import dataclasses

import pytest

from darknet_py.darknet.cfg.options import schema
from darknet_py.darknet.dialects import DIALECTS
from darknet_py.darknet.layers import LAYERS, section_names

A, P, W = "alexeyab", "pjreddie", "pytorch"
ALL, C, AW = f"{A} and {P} and {W}", f"{A} and {P}", f"{A} and {W}"

KNOWN = {
    "Gaussian_yolo": ALL,
    "activation": ALL,
    "alternate_channels": W,
    "avg": ALL,
    "avgpool": ALL,
    "batchnorm": ALL,
    "conn": ALL,
    "connected": ALL,
    "contrastive": ALL,
    "control_channels": W,
    "conv": ALL,
    "conv_lstm": ALL,
    "convolutional": ALL,
    "cost": ALL,
    "crnn": ALL,
    "crop": ALL,
    "deconv": P,
    "deconvolutional": P,
    "detection": ALL,
    "dropout": ALL,
    "empty": ALL,
    "gru": ALL,
    "history": ALL,
    "implicit": A,
    "implicit_add": W,
    "implicit_cat": W,
    "implicit_mul": W,
    "l2norm": P,
    "local": ALL,
    "local_avg": A,
    "local_avgpool": AW,
    "logistic": P,
    "lrn": ALL,
    "lstm": ALL,
    "max": C,
    "maxout": ALL,
    "maxpool": ALL,
    "normalization": ALL,
    "region": ALL,
    "reorg": ALL,
    "reorg3d": A,
    "rnn": ALL,
    "route": ALL,
    "route2": W,
    "route3": W,
    "route_lhalf": W,
    "sam": AW,
    "scale_channels": AW,
    "se": W,
    "select_channels": W,
    "shift_channels": W,
    "shortcut": ALL,
    "silence": ALL,
    "soft": ALL,
    "softmax": ALL,
    "upsample": ALL,
    "yolo": ALL,
}


def test_these_are_all_sections() -> None:
    known: dict[str, set[str]] = {}
    for name, dialect in LAYERS:
        known.setdefault(name, set()).add(dialect)
    assert {name: " and ".join(sorted(dialects)) for name, dialects in known.items()} == KNOWN
    assert list(KNOWN) == sorted(KNOWN)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_names_can_be_listed_by_dialect(dialect: str) -> None:
    assert section_names(dialect) == sorted(name for name, d in LAYERS if d == dialect)


@pytest.mark.parametrize("cls", sorted(set(LAYERS.values()), key=lambda c: c.__name__), ids=lambda c: c.__name__)
def test_each_layer_is_its_own_reference(cls: type) -> None:
    assert cls.__doc__
    assert cls.__doc__.strip().endswith(".")
    for key, (field, _) in schema(cls).items():
        assert field.metadata["doc"], key
    assert dataclasses.is_dataclass(cls)


def test_a_layer_is_a_value() -> None:
    kinds = [LAYERS[name, A] for name in ("conv", "yolo", "route")]
    for cls in kinds:
        assert cls() == dataclasses.replace(cls())
        assert {cls(): 1}[cls(clip=3.0)] == 1, "how it is trained makes no other layer"
        assert repr(cls()).startswith(f"{cls.__name__}(dontload=0, ")
        assert "clip" not in repr(cls(clip=3.0))
        with pytest.raises(TypeError, match="no option colour"):
            cls(colour=1)
        with pytest.raises(dataclasses.FrozenInstanceError):
            cls().clip = 1.0  # type: ignore[misc]  # that is the point
    assert len({cls() for cls in kinds}) == 3
    assert LAYERS["conv", A](filters=2) != LAYERS["conv", A](filters=3)  # type: ignore[call-arg]  # known to be one
