"""What leaves as a result and what does not: NaN, names that are not to be shown, all but the last output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from networks import NAMES, picture, write_detector

from darknet_py.contract.contract import Contract
from darknet_py.model.opening import load
from darknet_py.vision.inference import results_of
from darknet_py.vision.sources import Picture

BOTH = picture((1, 2, "red"), (2, 0, "blue"))


@pytest.mark.fault("dont-show")
def test_classes_called_dont_show_are_not_in_the_results(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    cfg.with_suffix(".names").write_text(f"dont_show {NAMES[0]}\n{NAMES[1]}\n")
    (results,) = load(cfg, backend="numpy")(BOTH)
    assert results.boxes.cls.tolist() == [1]
    assert "dont_show" not in results.darknet_text() + results.to_json()


def test_boxes_of_nan_and_infinity_are_left_out_and_it_is_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    model = load(write_detector(tmp_path), backend="numpy", say=said.append)
    run = model.run
    value = np.nan

    def spoil(inputs: np.ndarray) -> list[np.ndarray]:
        (raw,) = run(inputs)
        raw = raw.copy()
        raw[:, 2, 1, 2] = value  # the width of the red box
        return [raw]

    model.run = spoil  # type: ignore[method-assign]  # a network with such weights
    for value in (np.nan, np.inf):  # noqa: B007  # `spoil` reads it
        first, second = model([BOTH, BOTH])
        assert first.boxes.cls.tolist() == second.boxes.cls.tolist() == [1]
        assert np.isfinite(first.boxes.xyxy).all()
        assert first.warning == second.warning
        assert first.warning.endswith("such boxes are left out")
    assert len([text for text in said if "NaN or infinity" in text]) == 1


def classified(*outputs: np.ndarray) -> tuple[object, list[str]]:
    said: list[str] = []
    pixels = Picture(np.zeros((4, 4, 3), np.uint8), "a.png")
    names = {0: "a", 1: "b"}
    return results_of(list(outputs), pixels, Contract((3, 4, 4), 2), names, say=said.append), said


def test_scores_of_nan_are_nothing_and_it_is_said() -> None:
    results, said = classified(np.float32([np.nan, 0.25]))
    assert results.top5 == [("b", 0.25), ("a", 0.0)]  # type: ignore[attr-defined]  # they are Results
    assert said == [f"warning: {results.warning}"]  # type: ignore[attr-defined]
    assert "taken as 0" in said[0]


def test_the_last_of_two_softmaxes_counts_and_it_is_said() -> None:
    results, said = classified(np.float32([0.9, 0.1]), np.float32([0.2, 0.8]))
    assert results.pred_class == "b"  # type: ignore[attr-defined]  # they are Results
    assert said == ["the network has 2 outputs: the last one counts, as in Darknet (2 classes)"]


@pytest.mark.fault("four-channel-order")
def test_the_contract_of_four_channels_says_their_order(tmp_path: Path) -> None:
    cfg = tmp_path / "net.cfg"
    cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=4\n[avgpool]\n[softmax]\n")
    assert load(cfg, backend="numpy").contract.colour == "RGBA"
