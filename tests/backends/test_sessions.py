"""What sessions promise beyond numbers: names, batch sizes, memory, and errors in one class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from agree import RUNTIMES, agree, network, random_inputs

from darknet_py.backends.onnxruntime.file import session_options
from darknet_py.backends.session import open_session
from darknet_py.darknet.compile import compile_cfg
from darknet_py.errors import BackendError
from darknet_py.ir import Graph
from darknet_py.onnx import stream as onnx_stream
from darknet_py.onnx.emitter import IR_VERSION, OPSET, input_names, output_names
from darknet_py.onnx.operators import OPERATORS, to_onnx
from darknet_py.passes import optimize

NETWORK = """
[net]
width=16
height=12
channels=3
[convolutional]
filters=4
size=3
pad=1
batch_normalize=1
activation=mish
[dropout]
[route]
layers=-1,0
[maxpool]
size=2
stride=2
[rnn]
output=5
hidden=4
"""


@pytest.fixture(scope="module")
def graph() -> Graph:
    return network(NETWORK)


def test_the_version_of_onnx_is_ours(graph: Graph) -> None:
    model = to_onnx(graph)
    assert (model.ir_version, model.opset_import[0].version) == (IR_VERSION, OPSET) == (8, 15)
    onnx.checker.check_model(model, full_check=True)


def test_nodes_and_outputs_are_named_after_layers(graph: Graph) -> None:
    model = to_onnx(graph)
    assert [o.name for o in model.graph.output][:3] == ["1_dropout", "2_route", "3_maxpool"]
    assert model.graph.input[0].name == "images"
    nodes = {n.name: n for n in model.graph.node}
    assert len(nodes) == len(model.graph.node)
    assert nodes["0_convolutional.conv"].doc_string == "<cfg>:6 [convolutional]"


def test_memory_goes_in_and_comes_out_by_name(graph: Graph) -> None:
    inputs, outputs = input_names(graph)[1:], output_names(graph)[len(graph.outputs) :]
    assert inputs
    assert outputs == [f"{name}.next" for name in inputs]
    assert len(set(inputs + outputs)) == 2 * len(inputs)


def test_the_batch_axis_is_symbolic_or_fixed(graph: Graph) -> None:
    assert to_onnx(graph).graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert to_onnx(graph, batch=2).graph.output[0].type.tensor_type.shape.dim[0].dim_value == 2


def test_runtimes_agree_whatever_the_batch(graph: Graph) -> None:
    agree(graph, batches=(1, 2, 5, 2))


def test_inputs_constants_and_repeated_values_can_be_outputs() -> None:
    graph = network("[net]\nwidth=4\nheight=4\nchannels=2\n[convolutional]\nfilters=3\n[implicit]\nfilters=3\n")
    x, w = graph.image, graph.params[0].value
    several = replace(graph, outputs=(x, graph.outputs[0], w, graph.outputs[1], graph.outputs[0]))
    agree(several, batches=(1, 3))


def test_float16_weights_are_half_as_large_and_close(graph: Graph) -> None:
    import onnxruntime

    feed = random_inputs(graph, 2)
    wanted = open_session(graph, "numpy").run(feed)
    model = to_onnx(graph, half=frozenset(graph.ops))
    onnx.checker.check_model(model, full_check=True)
    assert all(i.data_type != onnx.TensorProto.FLOAT for i in model.graph.initializer)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    got = session.run(None, dict(zip(input_names(graph), feed, strict=True)))
    for a, b in zip(got, wanted, strict=True):
        assert a.dtype == np.float32
        assert np.abs(a - b).max() < 5e-3 * np.abs(b).max()


@pytest.mark.parametrize("batch", [None, 2])
def test_constants_are_float32_outputs_of_float16_networks(batch: int | None) -> None:
    graph = network("[net]\nwidth=4\nheight=4\nchannels=2\n[convolutional]\nfilters=3\n[implicit]\nfilters=3\n")
    onnx.checker.check_model(to_onnx(graph, batch=batch, half=frozenset(graph.ops)), full_check=True)


@pytest.mark.parametrize("runtime", ["numpy", *RUNTIMES])
def test_without_weights_there_is_no_session(runtime: str) -> None:
    with pytest.raises(BackendError, match=r"0_convolutional\.biases"):
        open_session(compile_cfg(NETWORK).graph, runtime)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_wrong_input_is_an_error_of_the_back_end(runtime: str, graph: Graph) -> None:
    first, *states = random_inputs(graph, 1)
    session = open_session(graph, runtime)
    with pytest.raises(BackendError, match=r"'images' wants an array of \(n, 3, 12, 16\), not \(1, 3, 11, 16\)"):
        session.run([first[:, :, 1:], *states])
    with pytest.raises(BackendError, match="2 inputs, not 1"):
        session.run([first])


def test_onnxruntime_takes_threads_and_refuses_unknown_devices(graph: Graph) -> None:
    open_session(graph, "onnxruntime", threads=1)
    with pytest.raises(BackendError, match="no device 'nowhere'"):
        open_session(graph, "onnxruntime", device="nowhere")


def test_threads_of_onnxruntime_leave_the_processor_when_a_run_ends() -> None:
    assert session_options(2).get_session_config_entry("session.force_spinning_stop") == "1"


def test_networks_beyond_the_limit_of_protobuf_reach_onnxruntime_through_a_file(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_stream, "PROTOBUF_LIMIT", 100)
    agree(graph, runtimes=("onnxruntime",))


def test_opencv_refuses_networks_beyond_the_limit(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_stream, "PROTOBUF_LIMIT", 100)
    with pytest.raises(BackendError, match="2 GB"):
        open_session(graph, "opencv")


@pytest.mark.parametrize("activation", ["linear", "leaky", "logistic", "elu", "mish", "swish", "tanh"])
def test_a_normalization_is_not_moved_across_an_activation(activation: str) -> None:
    text = f"[net]\nwidth=8\nheight=8\nchannels=3\n[conv]\nfilters=8\nactivation={activation}\n[batchnorm]\n"
    whole = network(text)
    last = whole.with_outputs([whole.layers[-1].output])  # where others are outputs too, nothing is fused
    agree(last)
    agree(optimize(last))


def test_old_releases_of_opencv_refuse_what_they_compute_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    graph = network("[net]\nwidth=4\nheight=4\nchannels=4\n[activation]\nactivation=normalize_channels\n")
    monkeypatch.setattr(cv2, "__version__", "4.8.1")
    with pytest.raises(BackendError, match=r"OpenCV 4\.8\.1 .* use 4\.10 or later"):
        open_session(graph, "opencv")


def test_every_operator_written_is_listed(graph: Graph) -> None:
    assert {n.op_type for n in to_onnx(graph).graph.node} <= OPERATORS
