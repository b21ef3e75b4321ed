"""Which class the path of a picture tells."""

from __future__ import annotations

import pytest

from darknet_py.analysis.evaluate.classify import class_of

DIGITS = tuple("0123456789")


@pytest.mark.parametrize(
    ("path", "labels", "name"),
    [
        ("data/caterpillar/1.png", ("cat", "caterpillar"), "caterpillar"),
        ("data/cat/caterpillar_like.png", ("cat", "caterpillar"), "cat"),
        ("mnist/7/00012.png", DIGITS, "7"),
        (r"mnist\7\00012.png", DIGITS, "7"),
        ("mnist/train/00012_c7.png", tuple(f"c{d}" for d in DIGITS), "c7"),
        ("cifar/train/0_frog.png", ("frog", "train"), "frog"),
        ("cifar/train/train/0.png", ("frog", "train"), "train"),
        ("imagenet/n02086240/n02086240_1.JPEG", ("n02086240", "n02086241"), "n02086240"),
        ("imagenet/train/n02086240_1.JPEG", ("n02086240", "n02086241"), "n02086240"),
        ("cat/photos/12.jpg", ("dog", "cat"), "cat"),
        ("photos-of-dogs/mycat12.jpg", ("dog", "cat"), "cat"),
        ("elephants/of-cats/12.jpg", ("elephant", "cat"), "cat"),
        ("traffic light/12.jpg", ("light", "traffic light"), "traffic light"),
        ("x/a traffic light.jpg", ("light", "traffic light"), "traffic light"),
        ("x/y.jpg", ("cat", ""), None),
    ],
)
def test_a_picture_has_the_class_that_its_path_tells(path: str, labels: tuple[str, ...], name: str | None) -> None:
    found = class_of(path, labels)
    assert (None if found is None else labels[found]) == name
