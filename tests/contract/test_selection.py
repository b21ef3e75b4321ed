"""Which objects are wanted: classes and thresholds before suppression, as Darknet has its own, the number after it."""

from __future__ import annotations

import numpy as np
import pytest
from goldens import goldens, run_layers

from darknet_py.contract.candidates import Candidates
from darknet_py.contract.detections import Boxes
from darknet_py.contract.nms import nms
from darknet_py.contract.selection import ALL, Selection, class_numbers, select
from darknet_py.darknet.program import program_of
from darknet_py.errors import DataError

NAMES = ("person", "car", "dog", "dog")
# Of every family of heads one, those where objectness and probability differ among them.
HEADS = ["yolo_two_heads", "yolo_diounms", "gyolo_cornersnms", "region_nosoftmax", "region_tree", "region_classfix",
         "detection_sqrt"]  # fmt: skip


def decoded(name: str, threshold: float, selection: Selection = ALL) -> Boxes:
    """The boxes of a golden network in a picture of 100x80."""
    case = goldens()[name]
    graph = case.graph()
    (layers,) = run_layers(graph, case.steps())
    contract = program_of(case.compile(), graph).contract
    return contract.decode([layers[i] for i in graph.heads], (80, 100), threshold=threshold, selection=selection)


def rows(boxes: Boxes) -> np.ndarray:
    """Class, probability and box, sorted."""
    table = np.column_stack([boxes.cls, boxes.conf, boxes.xyxy])
    return table[np.lexsort(table.T)]


@pytest.mark.parametrize("name", HEADS)
def test_each_class_is_found_as_darknet_finds_it_with_its_threshold(name: str) -> None:
    low, high = decoded(name, 0.005), decoded(name, 0.25)
    raised = int(low.cls[0])
    mixed = decoded(name, 0.005, Selection(thresholds=((raised, 0.25),)))
    assert np.array_equal(rows(mixed[mixed.cls == raised]), rows(high[high.cls == raised]))
    assert np.array_equal(rows(mixed[mixed.cls != raised]), rows(low[low.cls != raised]))


@pytest.mark.parametrize("name", HEADS)
def test_wanted_classes_are_found_as_if_all_were(name: str) -> None:
    found = decoded(name, 0.005)
    only = decoded(name, 0.005, Selection(classes=(int(found.cls[0]),)))
    assert len(only)
    assert np.array_equal(rows(only), rows(found[found.cls == found.cls[0]]))


def test_the_surest_of_all_classes_are_kept() -> None:
    found = decoded("yolo_two_heads", 0.005)
    few = decoded("yolo_two_heads", 0.005, Selection(max_det=3))
    assert np.array_equal(few.conf, found.conf[:3])


BOTH = Candidates(
    np.float32([[0.5, 0.5, 0.4, 0.4], [0.52, 0.5, 0.4, 0.4]]),
    np.ones(2, np.float32),
    np.float32([[0.9, 0], [0.3, 0.8]]),
)


def test_agnostic_suppresses_over_classes_and_keeps_the_surest_class_of_a_box() -> None:
    kept = nms(BOTH, agnostic=True).probabilities
    np.testing.assert_allclose(kept, [[0.9, 0], [0, 0]])
    np.testing.assert_allclose(nms(BOTH).probabilities, [[0.9, 0], [0, 0.8]])


def test_what_is_not_wanted_suppresses_nothing() -> None:
    found = decoded("yolo_two_heads", 0.005)
    least = int(found.cls[-1])  # of a box that surer ones of other classes suppress
    for wanted in (
        Selection(classes=(least,), agnostic=True),
        Selection(thresholds=tuple((c, 1.0) for c in set(found.cls.tolist()) - {least}), agnostic=True),
    ):
        alone = decoded("yolo_two_heads", 0.005, wanted)
        assert np.array_equal(rows(alone), rows(decoded("yolo_two_heads", 0.005, Selection((least,), agnostic=True))))
        assert len(alone) > np.count_nonzero(decoded("yolo_two_heads", 0.005, Selection(agnostic=True)).cls == least)


def test_no_class_at_all_is_nothing() -> None:
    assert len(decoded("yolo_two_heads", 0.005, Selection(classes=()))) == 0


def test_classes_are_names_or_numbers() -> None:
    assert select(NAMES, 4, classes="car")[1].classes == (1,)
    assert select(NAMES, 4, classes=["dog", 0, "1"])[1].classes == (0, 1, 2, 3)
    assert class_numbers("1", ("1", "0"), 2) == (0,)  # a name comes first
    assert select((), 4, classes=3)[1].classes == (3,)


def test_thresholds_of_the_others_are_the_default_or_that_of_none() -> None:
    assert select(NAMES, 4, conf={"person": 0.5, 1: 0.3})[0] == 0.25
    threshold, selection = select(NAMES, 4, conf={"dog": 0.5, None: 0.1})
    assert selection.limits(4, threshold).tolist() == [0.1, 0.1, 0.5, 0.5]


@pytest.mark.parametrize(
    ("given", "message"),
    [({"classes": "preson"}, "did you mean 'person'"), ({"classes": [7]}, "its 4 classes are 0 to 3"),
     ({"classes": "zzz"}, "it knows person, car"), ({"conf": {"car": 2}}, "between 0 and 1, not 2"),
     ({"max_det": 0}, "at least 1"), ({"conf": {"cra": 0.5}}, "did you mean 'car'"), ({"classes": -1}, "no class -1")],
)  # fmt: skip
def test_what_there_is_not_is_an_error(given: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        select(NAMES, 4, **given)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("text", ["9" * 5000, "b" * 30_000_000], ids=["digits", "letters"])
def test_a_class_without_end_is_an_error_at_once_and_of_one_line(text: str) -> None:
    """Python makes no number of so many digits, and to compare so long a name with others takes seconds."""
    with pytest.raises(DataError, match="the network has no class") as caught:
        select(NAMES, 4, classes=[text])
    assert len(str(caught.value)) < 400


def test_boxes_keep_their_ids_when_picked_and_cut() -> None:
    boxes = Boxes(np.float32([[-5, 0, 9, 9], [1, 1, 2, 2], [0, 0, 1, 1]]), np.float32([0.9, 0.5, 0.3]),
                  np.array([0, 1, 1]), (8, 8), np.array([4, 0, 2]))  # fmt: skip
    assert boxes[[2, 0]].track_ids == [2, 4]
    assert boxes[boxes.cls == 1].track_ids == [None, 2]
    assert boxes.clip().track_ids == [4, None, 2]
    assert [one.track_ids for one in boxes] == [[4], [None], [2]]
