"""A pruned network is trained on from the weights that were written with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn import DETECTOR, rectangles

pytest.importorskip("torch")

from darknet_py import load, prune, train
from darknet_py.apps.train.events import Finished
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import random_weights, write_weights


def test_a_pruned_network_trains_on(tmp_path: Path) -> None:
    cfg = tmp_path / "net.cfg"
    cfg.write_text(DETECTOR.format(random=0).replace("max_batches=40", "max_batches=4"))
    graph = compile_file(cfg).check().graph
    write_weights(cfg.with_suffix(".weights"), graph, random_weights(graph, 2))
    done = prune(cfg, tmp_path / "small.cfg", share=0.25, minimum=4)
    pictures = rectangles(tmp_path / "pictures", 6)
    *_, last = train(done.cfg, pictures, done.weights, backup=tmp_path / "backup")
    assert isinstance(last, Finished)
    assert last.iteration == 4
    trained = load(done.cfg, tmp_path / "backup/small_final.weights")
    assert trained.contract.shape == (3, 64, 64)
