"""What is true of every head: what `lower_boxes` says in primitives is what `decode` says, in every runtime."""

from __future__ import annotations

import numpy as np
import pytest
from agree import agree

from darknet_py.backends.session import open_session
from darknet_py.contract.boxes import to_xyxy
from darknet_py.contract.decoders import Decoder
from darknet_py.darknet.compile import compile_cfg
from darknet_py.errors import BackendError
from darknet_py.ir import Graph, check
from darknet_py.ir.builder import Builder

NET = "[net]\nheight=48\nwidth={width}\nchannels={channels}\n{cfg}"
SHRINK = "[local_avgpool]\nsize=16\nstride=16\npadding=0\n"  # to 3 x 4 cells
ANCHORS = "anchors=10,20, 30,15, 7,9\nnum=3\n"

HEADS = {
    "yolo": (14, SHRINK + "[yolo]\nclasses=2\nmask=0,2\nscale_x_y=1.2\n" + ANCHORS),
    "yolo, new_coords": (14, SHRINK + "[yolo]\nclasses=2\nmask=1,2\nscale_x_y=2\nnew_coords=1\n" + ANCHORS),
    "Gaussian_yolo": (22, SHRINK + "[Gaussian_yolo]\nclasses=2\nmask=0,1\nscale_x_y=1.1\n" + ANCHORS),
    "Gaussian_yolo, left_top": (11, SHRINK + "[Gaussian_yolo]\nclasses=2\nmask=1\nyolo_point=left_top\n" + ANCHORS),
    "region": (14, SHRINK + "[region]\nclasses=2\nnum=2\nsoftmax=1\nanchors=1,2,3,1\n"),
    "region, classfix": (14, SHRINK + "[region]\nclasses=2\nnum=2\nclassfix=-1\nanchors=1,2,3,1\n"),
    "detection": (12, SHRINK + "[detection]\nclasses=2\ncoords=4\nnum=2\nside=3\nsqrt=1\n"),
    "detection, softmax": (12, SHRINK + "[detection]\nclasses=2\ncoords=4\nnum=2\nside=3\nsoftmax=1\n"),
}


def network(name: str) -> tuple[Graph, Decoder]:
    """The net of a head, and the decoder."""
    channels, cfg = HEADS[name]
    width = 48 if "detection" in name else 64  # `side` wants a square
    text = NET.format(width=width, channels=channels, cfg=cfg)
    compiled = compile_cfg(text).check()
    return compiled.graph, compiled.decoders[-1]


def boxes_of(decoder: Decoder, output_shape: tuple[int, ...], net_size: tuple[int, int]) -> Graph:
    """A graph from the output of a head to boxes and scores."""
    b = Builder()
    output = b.input("output", output_shape)
    outputs = decoder.lower_boxes(b, output, net_size)
    return check(Graph(output, tuple(b.ops), (), (), outputs, data=b.data))


@pytest.mark.parametrize("name", HEADS)
def test_every_runtime_computes_the_same_head(name: str) -> None:
    agree(network(name)[0])


@pytest.mark.parametrize("name", HEADS)
def test_boxes_in_primitives_are_the_decoded_boxes(name: str) -> None:
    graph, decoder = network(name)
    (output,) = graph.outputs
    size = graph.image.shape[1:]
    x = np.random.default_rng(0).random((1, *graph.image.shape), np.float32)
    (raw,) = open_session(graph, "numpy").run([x])
    lowered = boxes_of(decoder, output.shape, (size[0], size[1]))
    boxes, scores = open_session(lowered, "numpy").run([raw])
    candidates = decoder.decode(raw[0], (size[0], size[1]), 0.0)
    assert len(candidates) == len(boxes[0])
    np.testing.assert_allclose(boxes[0], to_xyxy(candidates.boxes, (size[0], size[1])), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(scores[0], candidates.probabilities, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", HEADS)
def test_every_runtime_computes_the_same_boxes(name: str) -> None:
    graph, decoder = network(name)
    size = graph.image.shape[1:]
    agree(boxes_of(decoder, graph.outputs[0].shape, (size[0], size[1])))


def test_a_tree_has_no_scores_without_a_threshold() -> None:
    cfg = SHRINK + "[region]\nclasses=2\nnum=2\nanchors=1,2,3,1\ntree=none.tree\n"
    compiled = compile_cfg(NET.format(width=64, channels=14, cfg=cfg)).check()
    with pytest.raises(BackendError, match="class tree"):
        boxes_of(compiled.decoders[-1], compiled.graph.outputs[0].shape, (48, 64))
