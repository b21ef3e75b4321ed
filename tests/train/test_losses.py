"""Losses of heads: answers worked out by hand, and what holds for every one of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch: pip install darknet-compiler[torch]")

import torch
from train.heads import GAUSSIAN, REGION, YOLO, compiled, crowd, loss_of, noise, objects

from darknet_py.analysis.anchors import Assignment
from darknet_py.apps.train.losses import LossFilters, head_loss, losses_of, unsupported
from darknet_py.apps.train.losses.boxes import KINDS, TensorBoxes, best_iou, iou, slopes
from darknet_py.apps.train.losses.truth import read_objects
from darknet_py.darknet.compile import compile_cfg
from darknet_py.errors import DataError

torch.set_num_threads(1)

ONE = "[yolo]\nclasses=1\nnum=1\nanchors=16,16\n"
HEADS = {
    "yolo": (YOLO + "iou_loss=ciou\niou_thresh=.2", 24),
    "yolo mse": (YOLO + "delta_normalizer=.5", 24),
    "yolo eager": (YOLO + "truth_thresh=.3\nignore_thresh=.2\nobjectness_smooth=1\niou_loss=giou", 24),
    "yolo counted": (YOLO + "counters_per_class=10,20,80\nmax_delta=2\nlabel_smooth_eps=.1\niou_loss=diou", 24),
    "yolo new": (YOLO + "new_coords=1\nscale_x_y=2\nfocal_loss=1\niou_loss=iou", 24),
    "gaussian": (GAUSSIAN + "iou_loss=giou", 36),
    "gaussian eager": (GAUSSIAN + "truth_thresh=.3\nignore_thresh=.2\nobjectness_smooth=1\nyolo_point=left_top", 36),
    "region": (REGION + "bias_match=1", 16),
    "region by prediction": (REGION + "classfix=2\nthresh=.1\nfocal_loss=1", 16),
}


def head(name: str):
    text, channels = HEADS[name]
    return loss_of(text, channels, (3, 4))


# -- answers by hand ---------------------------------------------------------------------------------------------


def test_yolo_learns_squares_of_a_box_and_cross_entropy_of_the_rest() -> None:
    loss = loss_of(ONE, 6)
    x = torch.zeros(1, 6, 1, 1)
    x[0, 2] = math.log(2)  # twice as wide as the anchor, and as the object
    result = loss(x, objects((0.5, 0.5, 0.5, 0.5, 0)))
    wide = (2 - 0.25) * 0.75 * -math.log(2)
    assert result.delta.flatten().tolist() == pytest.approx([0, 0, wide, 0, 0.5, 0.5])
    assert result.cost.item() == pytest.approx(wide**2 + 0.5)
    assert result.output.flatten().tolist() == pytest.approx([0.5, 0.5, math.log(2), 0, 0.5, 0.5])
    assert result.said.line == (
        "v3 (mse loss, Normalizer: (iou: 0.75, obj: 1.00, cls: 1.00) Region 1 Avg (IOU: 0.500000), count: 1, "
        f"class_loss = 0.500000, iou_loss = {wide**2:.6f}, total_loss = {wide**2 + 0.5:.6f}"
    )


def test_yolo_without_objects_learns_that_there_is_nothing() -> None:
    result = loss_of(ONE, 6)(torch.zeros(1, 6, 1, 1), objects())
    assert result.delta.flatten().tolist() == [0, 0, 0, 0, -0.5, 0]
    assert (result.said["count"], result.said["iou"]) == (0, 0)


def test_a_second_object_in_a_place_adds_its_class_and_its_box() -> None:
    loss = loss_of("[yolo]\nclasses=3\nnum=1\nanchors=16,16\n", 8)
    x = torch.zeros(1, 8, 1, 1)
    box = (0.25, 0.5, 0.5, 0.5)
    once, twice = loss(x, objects((*box, 2))), loss(x, objects((*box, 2), (*box, 0)))
    assert once.delta.flatten()[5:].tolist() == [-0.5, -0.5, 0.5]
    assert twice.delta.flatten()[5:].tolist() == [0.5, -0.5, 0.5]
    assert twice.delta[0, 0] == 2 * once.delta[0, 0] != 0
    assert (twice.said["rewritten"], twice.said["count"]) == (1, 2)


def test_the_best_anchor_of_the_whole_list_decides_whether_a_head_learns_an_object() -> None:
    text = "[yolo]\nclasses=1\nnum=2\nanchors=8,8, 64,64\nmask={}\n"
    big = objects((0.4, 0.4, 0.9, 0.9, 0))
    counts = [loss_of(text.format(m), 6, (2, 2))(torch.zeros(1, 6, 2, 2), big).said["count"] for m in (0, 1)]
    assert counts == [0, 1]


def test_of_anchors_that_fit_equally_the_first_learns() -> None:
    loss = loss_of("[yolo]\nclasses=1\nnum=2\nanchors=16,16, 16,16\n", 12)
    delta = loss(torch.zeros(1, 12, 1, 1), objects((0.5, 0.5, 0.5, 0.5, 0))).delta.reshape(2, 6)
    assert delta[:, 4].tolist() == [0.5, 0]  # the other box is on the object too, and left alone


def test_with_iou_thresh_each_anchor_that_fits_learns_and_boxes_share_among_classes() -> None:
    loss = loss_of("[yolo]\nclasses=2\nnum=2\nanchors=16,16, 20,16\niou_thresh=.5\n", 14)
    x = torch.zeros(1, 14, 1, 1)
    box = (0.25, 0.5, 0.5, 0.5)
    one, two = (loss(x, objects(*rows)).delta.reshape(2, 7) for rows in ([(*box, 0)], [(*box, 0), (*box, 1)]))
    assert one[:, 4].tolist() == [0.5, 0.5]
    assert torch.equal(one[:, :4], two[:, :4])  # twice the delta, for two classes


def test_gaussian_sigmas_learn_how_far_off_values_are() -> None:
    loss = loss_of("[Gaussian_yolo]\nclasses=1\nnum=1\nanchors=16,16\n", 10)
    x = torch.zeros(1, 10, 1, 1)
    delta = loss(x, objects((0.5, 0.5, 0.5, 0.5, 0))).delta.flatten()
    density = 1 / (math.sqrt(2 * math.pi) * 0.8)
    sure = 0.5 * (2 - 0.25) * density / (density + 1e-9)
    assert delta[:8:2].tolist() == [0] * 4
    assert delta[1:8:2].tolist() == pytest.approx([-sure / 0.8] * 4)


def test_region_goes_through_the_logistic_and_warms_up() -> None:
    loss = loss_of("[region]\nclasses=1\nnum=1\nanchors=1,1\n", 6)
    x = torch.zeros(1, 6, 1, 1)
    x[0, 3] = 1
    early, late = (loss(x, objects(), seen=n).delta.flatten().tolist() for n in (12799, 12800))
    assert late == pytest.approx([0, 0, 0, 0, -0.125, 0])
    assert early == pytest.approx([0, 0, 0, -0.01, -0.125, 0])


def test_region_replaces_what_an_earlier_object_said() -> None:
    loss = loss_of(REGION, 16)
    x = noise(loss)
    rows = (0.5, 0.5, 0.9, 0.9, 1), (0.3, 0.5, 0.9, 0.9, 2)
    both, last = loss(x, objects(*rows), seen=20000), loss(x, objects(rows[1]), seen=20000)
    assert torch.equal(both.delta, last.delta)
    assert both.said["count"] == 2


def test_a_tree_learns_along_the_path_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "t.tree").write_text("a -1\nb -1\nc 0\nd 0\ne 1\n")
    text = "[net]\nwidth=32\nheight=32\nchannels=3\n[convolutional]\nfilters=10\nsize=1\nstride=32\nactivation=linear\n"
    (tmp_path / "net.cfg").write_text(text + "[region]\nclasses=5\nnum=1\nanchors=1,1\nsoftmax=1\ntree=t.tree\n")
    from darknet_py.darknet.compile import compile_file

    loss = head_loss(compile_file(tmp_path / "net.cfg").check(), 1)
    delta = loss(torch.zeros(1, 10, 1, 1), objects((0.5, 0.5, 1, 1, 3)), seen=20000).delta.flatten()
    assert delta[5:].tolist() == pytest.approx([0.5, -0.5, -0.5, 0.5, 0])


def test_detection_learns_by_the_box_that_overlaps_most() -> None:
    loss = loss_of("[detection]\nclasses=1\ncoords=4\nside=1\nnum=2", 11)
    x = torch.tensor([[0.25, 0.1, 0.2, *(0.5, 0.5, 0.9, 0.9), *(0.5, 0.5, 0.5, 0.4)]])
    truth = torch.tensor([[[1, 1, 0.5, 0.5, 0.5, 0.5]]])
    delta = loss(x, truth).delta.flatten().tolist()
    assert delta == pytest.approx([0.75, -0.1, 0.8, 0, 0, 0, 0, 0, 0, 0, 0.1])


def test_softmax_costs_each_label_as_much_however_small() -> None:
    loss = loss_of("[softmax]", 4)
    truth = torch.tensor([[0.7, 0.1, 0.1, 0.1]])
    result = loss(torch.zeros(1, 4, 1, 1), truth)
    assert result.cost.item() == pytest.approx(4 * math.log(4))
    assert result.delta.flatten().tolist() == pytest.approx([0.45, -0.15, -0.15, -0.15])


def test_a_probability_that_became_0_has_a_cost_that_is_a_number() -> None:
    loss = loss_of("[softmax]\n", 3)
    found = loss(torch.tensor([200.0, 0.0, 0.0]).view(1, 3, 1, 1).requires_grad_(), torch.tensor([[0.0, 1.0, 0.0]]))
    assert found.cost.item() == pytest.approx(-math.log(torch.finfo(torch.float32).tiny))
    assert found.delta.flatten().tolist() == [-1, 1, 0]


def test_softmax_takes_no_temperature_into_its_delta() -> None:
    x, truth = torch.tensor([[1.0, 3.0]]).reshape(1, 2, 1, 1), torch.tensor([[1.0, 0.0]])
    cool = loss_of("[softmax]\ntemperature=2", 2)(x, truth)
    assert cool.delta.flatten().tolist() == pytest.approx([1 - 1 / (1 + math.e), -math.e / (1 + math.e)])


@pytest.mark.parametrize(
    ("kind", "delta", "cost"),
    [
        ("sse", [0.5, -3, -1237], 0.25 + 9 + 1237**2),
        ("smooth", [0.5, -1, -1], 0.25 + (2 * 3 - 1) + (2 * 1237 - 1)),
        ("masked", [0.5, -3, 0], 0.25 + 9),
    ],
)
def test_cost_is_squares_or_what_is_like_an_absolute_value(kind: str, delta: list[float], cost: float) -> None:
    loss = loss_of(f"[cost]\ntype={kind}\nscale=.5", 3)
    x = torch.tensor([0.5, 4, 3]).reshape(1, 3, 1, 1).requires_grad_()
    result = loss(x, torch.tensor([[1, 1, -1234.0]]))
    result.cost.backward()
    assert result.delta.flatten().tolist() == delta
    assert x.grad.flatten().tolist() == [-0.5 * d for d in delta]
    assert result.cost.item() == pytest.approx(cost)


def test_what_a_cost_sends_goes_past_the_softmax_before_it() -> None:
    compilation = compiled("[softmax]\nnoloss=1\n[cost]", 3)
    silent, cost = losses_of(compilation)
    assert silent.source is cost.source
    x = torch.tensor([1.0, 2, 3]).reshape(1, 3, 1, 1).requires_grad_()
    truth = torch.tensor([[0, 0, 1.0]])
    result = cost(x, truth)
    result.cost.backward()
    assert torch.allclose(x.grad.flatten(), x.detach().flatten().softmax(0) - truth[0])
    assert silent(x, truth).cost.item() == 0


# -- what holds for every head -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEADS)
def test_backward_gives_exactly_minus_what_is_sent(name: str) -> None:
    loss = head(name)
    x = noise(loss, 3)
    result = loss(x, crowd(3, 5, 3), seen=1)
    result.cost.backward()
    assert torch.equal(x.grad, -result.sent)
    assert result.delta.abs().sum() > 0
    normalizer = getattr(loss.info.layer, "delta_normalizer", 1.0)
    assert torch.equal(result.sent, result.delta * normalizer)


def test_a_factor_of_the_cost_is_one_of_the_gradient() -> None:
    loss = head("yolo")
    x = noise(loss)
    result = loss(x, crowd(1, 5, 3))
    (result.cost * 0.25).backward()
    assert torch.equal(x.grad, -0.25 * result.sent)


def test_half_precision_gets_its_gradient_in_its_own_type() -> None:
    loss = head("yolo")
    x = noise(loss).detach().bfloat16().requires_grad_()
    result = loss(x, crowd(1, 5, 3))
    result.cost.backward()
    assert (x.grad.dtype, result.cost.dtype, result.delta.dtype) == (torch.bfloat16, torch.float32, torch.float32)


@pytest.mark.parametrize("name", HEADS)
def test_the_cost_of_a_sample_is_that_of_a_batch_of_one(name: str) -> None:
    loss = head(name)
    x, truth = noise(loss, 3), crowd(3, 5, 3)
    each = [loss(x[i : i + 1], truth[i : i + 1], seen=1).cost.item() for i in range(3)]
    assert loss(x, truth, seen=1).per_sample.tolist() == pytest.approx(each, rel=1e-5)


@pytest.mark.parametrize("name", HEADS)
def test_pictures_of_a_batch_do_not_see_each_other(name: str) -> None:
    loss = head(name)
    x, truth = noise(loss, 3), crowd(3, 5, 3)
    alone = [loss(x[i : i + 1], truth[i : i + 1], seen=1).delta for i in range(3)]
    assert torch.allclose(loss(x, truth, seen=1).delta, torch.cat(alone), atol=1e-6)


@pytest.mark.parametrize("name", HEADS)
def test_what_is_no_object_changes_nothing(name: str) -> None:
    """Rows after the first with x == 0, objects of classes that there are not, and objects that are no numbers."""
    loss = head(name)
    x = noise(loss)
    good = (0.4, 0.6, 0.3, 0.4, 1)
    plain = loss(x, objects(good), seen=1)
    odd = loss(
        x,
        objects((0.2, 0.2, 0.5, 0.5, 3), (0.2, 0.2, 0.5, 0.5, -1), (0.5, math.nan, 1, 1, 0), good, (0,), good),
        seen=1,
    )
    assert torch.equal(plain.delta, odd.delta)
    assert (plain.said["skipped"], odd.said["skipped"]) == (0, 3)


@pytest.mark.parametrize("name", HEADS)
def test_an_object_at_the_edge_belongs_to_the_last_cell_there(name: str) -> None:
    loss = head(name)
    x = noise(loss)
    delta = loss(x, objects((1.0, 1.0, 0.4, 0.4, 1)), seen=20000).delta - loss(x, objects(), seen=20000).delta
    entries = loss.info.layer.entries
    classes = delta.reshape(-1, entries, 3, 4)[:, entries - 3 :].abs().sum((0, 1))
    assert classes[2, 3] > 0
    assert torch.isfinite(delta).all()


@pytest.mark.parametrize("name", HEADS)
def test_an_object_without_a_size_gives_no_infinite_delta(name: str) -> None:
    loss = head(name)
    result = loss(noise(loss), objects((0.5, 0.5, 0, 0.2, 1), (0.2, 0.3, 0, 0, 0)), seen=1)
    assert torch.isfinite(result.delta).all()


@pytest.mark.parametrize("name", HEADS)
def test_no_rows_at_all_are_no_objects(name: str) -> None:
    loss = head(name)
    x = noise(loss)
    assert torch.equal(loss(x, torch.zeros(1, 0, 6)).delta, loss(x, objects()).delta)


@pytest.mark.parametrize("shape", [(1, 30), (2, 5, 6), (1, 5, 4)])
@pytest.mark.parametrize("name", ["yolo", "region"])
def test_a_truth_of_another_shape_is_an_error(name: str, shape: tuple[int, ...]) -> None:
    loss = head(name)
    with pytest.raises(ValueError, match=r"truth is \(1, rows, 6\) for 1 pictures"):
        loss(noise(loss), torch.zeros(shape))


def test_objects_may_lie_in_any_memory() -> None:
    loss = head("yolo")
    x, truth = noise(loss, 2), crowd(2, 5, 3)
    strided = truth.transpose(1, 2).contiguous().transpose(1, 2)
    assert torch.equal(loss(x, truth).delta, loss(x, strided.double()).delta)
    assert torch.equal(
        loss(x.detach().contiguous(memory_format=torch.channels_last), truth).delta, loss(x, truth).delta
    )


def test_another_input_size_moves_anchors_not_cells() -> None:
    small, big = (loss_of(*HEADS["yolo"], cells) for cells in ((3, 4), (6, 8)))
    x = torch.zeros(1, 24, 6, 8)
    found, other = (loss(x, objects((0.5, 0.5, 0.3, 0.3, 0))) for loss in (big, small))
    assert found.said["count"] > 0
    assert found.delta.shape == x.shape
    assert not torch.equal(found.delta, other.delta)


# -- boxes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["iou", "giou"])
def test_slopes_are_derivatives_with_those_of_sizes_doubled(kind: str) -> None:
    """Where boxes overlap; the doubling is Darknet's (training.md 7)."""
    made = torch.Generator().manual_seed(1)
    a = (torch.rand(4, 200, generator=made, dtype=torch.float64) * 0.3 + 0.3).requires_grad_()
    b = a.detach() + (torch.rand(4, 200, generator=made, dtype=torch.float64) - 0.5) * 0.2
    one, other = TensorBoxes(*a), TensorBoxes(*b)
    KINDS[kind](one, other).sum().backward()
    found = torch.stack(slopes(kind, TensorBoxes(*a.detach()), other))
    assert torch.allclose(found, a.grad * torch.tensor([[1], [1], [2], [2]]), atol=1e-9)


def test_slopes_of_distance_pull_centres_together_also_without_overlap() -> None:
    left, right = TensorBoxes(*torch.tensor([0.2, 0.5, 0.1, 0.1])), TensorBoxes(*torch.tensor([0.8, 0.5, 0.1, 0.1]))
    for kind in ("diou", "ciou"):
        found = slopes(kind, left, right)
        assert (float(found.x) > 0, float(found.y)) == (True, 0)


def test_iou_is_that_of_drawn_boxes() -> None:
    a, b = torch.tensor([0.3, 0.3, 0.4, 0.4]), torch.tensor([0.5, 0.4, 0.4, 0.2])
    grid = (torch.arange(1000) + 0.5) / 1000

    def drawn(box: torch.Tensor) -> torch.Tensor:
        inside = [(grid - box[i]).abs() < box[i + 2] / 2 for i in (0, 1)]
        return inside[0][None] & inside[1][:, None]

    one, other = drawn(a), drawn(b)
    expected = float((one & other).sum() / (one | other).sum())
    assert float(iou(TensorBoxes(*a), TensorBoxes(*b))) == pytest.approx(expected, abs=1e-3)


def test_the_best_object_is_the_first_of_equals_in_whatever_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    pred = TensorBoxes(*torch.rand(4, 2, 3, 5, generator=torch.Generator().manual_seed(3)))
    listed = torch.rand(2, 7, 4, generator=torch.Generator().manual_seed(4))
    listed[:, 6] = listed[:, 1]
    whole, number = best_iou(pred, listed, True)
    plain = iou(pred.pick((..., None)), TensorBoxes(*listed[:, None, None].unbind(-1)))
    assert torch.allclose(whole, plain.amax(-1), atol=1e-6)
    assert not (number == 6).any()
    monkeypatch.setattr("darknet_py.apps.train.losses.boxes.MAX_PAIRS", 1)
    again, same = best_iou(pred, listed, True)
    assert torch.equal(whole, again)
    assert torch.equal(number, same)


def test_objects_are_read_up_to_the_first_without_x() -> None:
    truth = torch.tensor([[[0.1, 0.1, 0.1, 0.1, 2.9, 7], [0, 0.5, 0.5, 0.5, 1, 0], [0.5, 0.5, 0.5, 0.5, 1, 0]]])
    found = read_objects(truth, 1, 3, 200)
    assert (found.classes.tolist(), len(found)) == ([2], 1)
    assert len(read_objects(truth, 1, 3, 0)) == 0


# -- filters, side files, what is not there ----------------------------------------------------------------------


def test_filters_act_from_three_quarters_of_the_training_and_remember() -> None:
    filters = LossFilters()
    net = "max_batches=100\nnum_sigmas_reject_badlabels=1"
    loss = loss_of(YOLO, 24, (3, 4), net, filters=filters)
    x, truth = noise(loss, 2), crowd(2, 5, 3)
    plain = loss(x, truth, iteration=75)
    assert filters == LossFilters()
    filtered = loss(x, truth, iteration=100)
    largest = plain.delta.abs().max()
    assert filters.rolling_max == pytest.approx(float(largest))
    assert filters.rolling_mean == pytest.approx(float(plain.delta[plain.delta != 0].abs().mean()) / 100, rel=1e-4)
    assert (filtered.delta == 0).sum() > (plain.delta == 0).sum()
    kept = filtered.delta != 0
    assert torch.equal(filtered.delta[kept], plain.delta[kept])
    other = LossFilters()
    other.load_state_dict(filters.state_dict())
    assert other == filters


def test_rejecting_a_share_moves_its_threshold() -> None:
    filters = LossFilters()
    loss = loss_of(YOLO, 24, (3, 4), "max_batches=100\nbadlabels_rejection_percentage=2", filters=filters)
    x, truth = noise(loss, 2), crowd(2, 5, 3)
    plain = loss(x, truth, iteration=80)
    largest = float(plain.delta.abs().max())
    assert filters.threshold == pytest.approx(largest - 0.01)  # nothing was above the largest: it falls
    rejected = loss(x, truth, iteration=81)
    assert filters.threshold == pytest.approx(largest)  # too many were above
    assert float(rejected.delta.abs().max()) < largest - 0.01


def test_the_equidistant_point_drops_small_deltas() -> None:
    filters = LossFilters(rolling_mean=0.5)
    loss = loss_of(YOLO, 24, (3, 4), "max_batches=100\nequidistant_point=10", filters=filters)
    x, truth = noise(loss, 2), crowd(2, 5, 3)
    plain, filtered = loss(x, truth, iteration=10), loss(x, truth, iteration=55)
    small = plain.delta.abs() < 0.5 * 0.5 * 1.4
    assert torch.equal(filtered.delta, torch.where(small, 0.0, plain.delta))


def test_heads_of_a_network_share_their_filters() -> None:
    compilation = compiled(YOLO + "\n[route]\nlayers=-2\n" + YOLO, 24, (3, 4))
    first, second = losses_of(compilation)
    assert first.filters is second.filters is not None


def test_a_map_says_what_classes_of_labels_stand_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "map.txt").write_text("2\n0\n1\n")
    monkeypatch.chdir(tmp_path)
    mapped, plain = loss_of(YOLO + "map=map.txt", 24), loss_of(YOLO, 24)
    x = noise(plain)
    assert torch.equal(mapped(x, objects((0.5, 0.5, 1, 1, 1))).delta, plain(x, objects((0.5, 0.5, 1, 1, 0))).delta)


@pytest.mark.parametrize("content", ["0\n1\n", "0\n1\n3\n", "a\nb\nc\n", None])
def test_a_map_that_does_not_fit_is_an_error(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "map.txt").write_text(content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"map\.txt"):
        loss_of(YOLO + "map=map.txt", 24)


def test_what_is_not_supported_is_said() -> None:
    compilation = compiled(YOLO, 24, net="adversarial_lr=1\ncontrastive=1\nbatch=2")
    assert [text.partition("=")[0] for text in unsupported(compilation)] == ["adversarial_lr", "contrastive"]
    with pytest.raises(DataError, match="adversarial_lr"):
        losses_of(compilation)
    assert unsupported(compiled(YOLO, 24)) == ()


def test_heads_of_other_dialects_are_not_trained_as_darknets() -> None:
    text = f"[net]\nwidth=32\nheight=32\nchannels=3\n[convolutional]\nfilters=24\nsize=1\nstride=32\n{YOLO}"
    compilation = compile_cfg(text, dialect="pytorch")
    assert "WongKinYiu" in unsupported(compilation)[0]
    with pytest.raises(DataError, match="WongKinYiu"):
        head_loss(compilation, 1)


def test_a_network_without_a_loss_cannot_be_trained() -> None:
    with pytest.raises(DataError, match="no layer"):
        losses_of(compiled("[avgpool]", 3))
    with pytest.raises(DataError, match="no loss"):
        head_loss(compiled("[avgpool]", 3), 1)


def test_random_boxes_of_detection_do_not_depend_on_what_was_drawn_before() -> None:
    loss = loss_of("[detection]\nclasses=1\ncoords=4\nside=1\nnum=2\nrandom=1\n", 11)
    x, truth = torch.rand(1, 11), torch.tensor([[[1, 1, 0.5, 0.5, 0.5, 0.5]]])
    torch.manual_seed(1)
    np.random.seed(1)
    assert torch.equal(loss(x, truth, seen=5).delta, loss(x, truth, seen=5).delta)
    several = {tuple(loss(x, truth, seen=n).delta.flatten().tolist()) for n in range(20)}
    assert len(several) == 2


@pytest.mark.parametrize("enough", [1.0, 0.2, 0.6])
@pytest.mark.parametrize("kind", ["yolo", "Gaussian_yolo"])
def test_the_objects_that_are_said_to_be_lost_are_those_without_a_positive(kind: str, enough: float) -> None:
    before = 5 if kind == "yolo" else 9
    head = f"[{kind}]\nclasses=1\nnum=4\nmask=1,3\nanchors=4,4, 9,14, 30,11, 28,40\niou_thresh={enough}\n"
    compilation = compiled(head, 2 * (before + 1), (2, 2))
    loss, assignment = head_loss(compilation, 1), Assignment.of(compilation)
    sizes = np.random.default_rng(0).uniform(2, 60, (200, 2))
    x = torch.zeros(1, 2 * (before + 1), 2, 2)
    lost = [loss(x, objects((0.3, 0.3, w / 64, h / 64, 0))).said.values["count"] == 0 for w, h in sizes]
    assert assignment.lost(sizes).tolist() == lost
    assert any(lost)
    assert not all(lost)
