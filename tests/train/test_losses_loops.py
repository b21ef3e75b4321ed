"""[yolo] once more, as loops over cells and objects, straight from the facts: what the fast way has to agree with."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch", reason="needs PyTorch: pip install darknet-compiler[torch]")

import torch
from train.heads import YOLO, crowd, loss_of, noise

from darknet_py.apps.train.losses.boxes import TensorBoxes, iou, slopes
from darknet_py.apps.train.losses.head import HeadLoss

torch.set_num_threads(1)

OPTIONS = [
    "",
    "iou_thresh=.3\niou_loss=ciou\nscale_x_y=1.2\niou_normalizer=.07\nmax_delta=.05",
    "iou_thresh=.3\ntruth_thresh=.4\nignore_thresh=.3\nobj_normalizer=.6",
    "truth_thresh=.4\nignore_thresh=.2\nobjectness_smooth=1\nlabel_smooth_eps=.1\niou_loss=giou\niou_thresh=.2",
    "counters_per_class=10,20,80\ncls_normalizer=.5\niou_loss=diou\nignore_thresh=.1",
    "focal_loss=1\niou_loss=iou\niou_thresh=.1\nmask=0,2",
]


class Loops:
    """The delta of one picture: (anchors of the mask, entries, rows, columns)."""

    def __init__(self, loss: HeadLoss, x: torch.Tensor, truth: torch.Tensor) -> None:
        self.layer = layer = loss.info.layer
        self.net = loss.net
        self.rows, self.columns = x.shape[1:]
        self.mask = layer.masks
        out = x.reshape(len(self.mask), 8, self.rows, self.columns)
        self.out = torch.cat([out[:, :2].sigmoid(), out[:, 2:4], out[:, 4:].sigmoid()], 1)
        self.out[:, :2] = self.out[:, :2] * layer.scale_x_y - 0.5 * (layer.scale_x_y - 1)
        self.anchors = [layer.anchors[2 * i : 2 * i + 2] for i in range(layer.num)]
        self.delta = torch.zeros_like(self.out)
        end = next((i for i, row in enumerate(truth) if row[0] == 0), len(truth))
        self.objects = [row for row in truth[:end] if 0 <= row[4] < 3]
        counters = layer.counters_per_class
        self.worth = [min(max(counters) / n, layer.max_delta or math.inf) for n in counters] if counters else None
        self.count = 0

    def pred(self, n: int, j: int, i: int) -> TensorBoxes:
        x, y, w, h = self.out[n, :4, j, i]
        anchor = self.anchors[self.mask[n]]
        return TensorBoxes(
            (i + x) / self.columns, (j + y) / self.rows, w.exp() * anchor[0] / self.net.width,
            h.exp() * anchor[1] / self.net.height,
        )  # fmt: skip

    def box(self, n: int, j: int, i: int, row: torch.Tensor) -> None:
        layer, out = self.layer, self.out[n, :4, j, i]
        x, y, w, h = row[:4]
        anchor = self.anchors[self.mask[n]]
        norm = layer.iou_normalizer * self.value(row)
        if layer.iou_loss == "mse":
            goal = (
                x * self.columns - i,
                y * self.rows - j,
                (w * self.net.width / anchor[0]).log(),
                (h * self.net.height / anchor[1]).log(),
            )
            self.delta[n, :4, j, i] += norm * (2 - w * h) * (torch.stack(goal) - out)
            return
        found = torch.stack(slopes(layer.iou_loss, self.pred(n, j, i), TensorBoxes(x, y, w, h)))
        found[2:] *= out[2:].exp()
        limit = layer.max_delta or math.inf
        self.delta[n, :4, j, i] += (norm * found).clamp(-limit, limit)

    def value(self, row: torch.Tensor) -> float:
        return self.worth[int(row[4])] if self.worth else 1.0

    def scores(self, n: int, j: int, i: int, row: torch.Tensor) -> None:
        layer, true = self.layer, int(row[4])
        delta, out = self.delta[n, 5:, j, i], self.out[n, 5:, j, i]
        eps = layer.label_smooth_eps
        if delta[true] != 0:
            delta[true] = (1 - eps / 2 - out[true]) * self.value(row)
            return
        p = out[true]
        for c in range(3):
            y = 1.0 if c == true else 0.0
            if layer.focal_loss:
                delta[c] = (y - out[c]) * 0.5 * -(1 - p) * (2 * p * p.log() + p - 1)
                continue
            delta[c] = y * (1 - eps) + eps / 2 - out[c]
            if self.worth and c == true:
                delta[c] *= self.value(row) * layer.cls_normalizer

    def cell(self, n: int, j: int, i: int) -> None:
        layer, out = self.layer, self.out[n, :, j, i]
        pred = self.pred(n, j, i)
        likeness = [float(iou(pred, TensorBoxes(*row[:4]))) for row in self.objects]
        best = max(likeness, default=0.0)
        match = best if (out[5:] > 0.25).any() else 0.0
        delta = -layer.obj_normalizer * out[4]
        if match > layer.ignore_thresh:
            smooth = torch.maximum(layer.obj_normalizer * (match - out[4]), delta)
            delta = smooth if layer.objectness_smooth else torch.tensor(0.0)
        if best > layer.truth_thresh:
            goal = best**2 if layer.objectness_smooth else 1.0
            delta = layer.obj_normalizer * (goal - out[4])
            row = self.objects[likeness.index(best)]
            self.scores(n, j, i, row)
            if layer.objectness_smooth:
                true = int(row[4])
                self.delta[n, 5 + true, j, i] = self.value(row) * (goal - out[5 + true])
            self.box(n, j, i, row)
        self.delta[n, 4, j, i] = delta

    def object(self, row: torch.Tensor) -> None:
        layer = self.layer
        i, j = int(row[0] * self.columns), int(row[1] * self.rows)
        shape = TensorBoxes(torch.tensor(0.0), torch.tensor(0.0), row[2], row[3])
        fits = [
            float(iou(TensorBoxes(shape.x, shape.y, *torch.tensor([w / self.net.width, h / self.net.height])), shape))
            for w, h in self.anchors
        ]
        best = fits.index(max(fits))
        others = [n for n in range(layer.num) if n != best and layer.iou_thresh < 1 and fits[n] > layer.iou_thresh]
        for anchor in (best, *others):
            if anchor not in self.mask:
                continue
            n = self.mask.index(anchor)
            self.box(n, j, i, row)
            if not layer.objectness_smooth or self.delta[n, 4, j, i] == 0:
                self.delta[n, 4, j, i] = self.value(row) * layer.obj_normalizer * (1 - self.out[n, 4, j, i])
            self.scores(n, j, i, row)
            self.count += 1

    def run(self) -> torch.Tensor:
        cells = [(n, j, i) for j in range(self.rows) for i in range(self.columns) for n in range(len(self.mask))]
        for place in cells:
            self.cell(*place)
        for row in self.objects:
            self.object(row)
        for n, j, i in cells:
            classes = int((self.delta[n, 5:, j, i] > 0).sum())
            if self.layer.iou_thresh < 1 and self.delta[n, 4, j, i] != 0 and classes:
                self.delta[n, :4, j, i] /= classes
        return self.delta


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", OPTIONS)
def test_all_at_once_is_what_loops_compute(options: str, seed: int) -> None:
    loss = loss_of(YOLO + options, 16 if "mask" in options else 24, (3, 4))
    x, truth = noise(loss, 2, seed).detach(), crowd(3, 20, 3, seed)[:2]  # 20 objects in 12 cells: many share a place
    result = loss(x, truth)
    loops = [Loops(loss, x[b], truth[b]) for b in range(2)]
    wanted = torch.stack([one.run() for one in loops]).reshape(x.shape)
    assert float((result.delta - wanted).abs().max()) <= 1e-5 * float(wanted.abs().max())
    assert result.said["count"] == sum(one.count for one in loops) > 10
