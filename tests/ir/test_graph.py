"""The graph: outputs that can be chosen, provenance, and names."""

from __future__ import annotations

import math
import string

import numpy as np
import pytest
from goldens import goldens

from darknet_py.analysis.cost import cost
from darknet_py.analysis.diff import diff
from darknet_py.analysis.drawing.drawing import draw
from darknet_py.analysis.summary import summarize
from darknet_py.apps.bench.roofline import layer_speeds
from darknet_py.darknet.compile import compile_cfg
from darknet_py.ir import Graph, check
from darknet_py.ir.builder import Builder

CFG = """
[net]
width=8
height=6
channels=3
[convolutional]
filters=4
size=3
pad=1
activation=leaky
[convolutional]
filters=5
[shortcut]
from=-2
activation=linear
[rnn]
output=3
hidden=2
"""


@pytest.fixture
def graph() -> Graph:
    return compile_cfg(CFG).check().graph


def test_choosing_an_output_drops_what_it_does_not_need(graph: Graph) -> None:
    first = compile_cfg(CFG.split("[rnn]")[0]).check().graph
    pruned = check(first.with_outputs([first.layer_output(0)]))
    assert {op.layer for op in pruned.ops} == {0}
    assert pruned.outputs == (first.layer_output(0),)


def test_what_a_state_becomes_is_always_computed(graph: Graph) -> None:
    pruned = check(graph.with_outputs([graph.layer_output(0)]))
    assert 3 in {op.layer for op in pruned.ops}
    assert pruned.inputs == (graph.image, *(s.input for s in graph.states))


def test_the_whole_is_not_changed_by_choosing(graph: Graph) -> None:
    before = graph.ops
    graph.with_outputs([graph.layer_output(1)])
    assert graph.ops is before


def test_every_operation_knows_its_layer(graph: Graph) -> None:
    assert {op.layer for op in graph.ops} <= {info.index for info in graph.layers}
    assert [info.name for info in graph.layers] == ["0_convolutional", "1_convolutional", "2_shortcut", "3_rnn"]
    assert [info.span.line for info in graph.layers] == [6, 11, 13, 16]


def test_names_say_where_a_value_comes_from(graph: Graph) -> None:
    assert graph.ops[0].output.name.startswith("0_convolutional.")
    assert graph.params[0].value.name == "0_convolutional.biases"


PARTIAL = "[net]\nwidth=4\nheight=4\nchannels=2\n[avgpool]\n{}[route]\nlayers=0\n[upsample]\nfrom=-1\nstride=2\n"
FAILING = {
    "unknown": "[nonsense]\n",
    "no room": "[convolutional]\nfilters=4\nsize=9\n",  # its parameters are declared before that is seen
    "too large": "[rnn]\noutput=16000000\nhidden=16000000\n",  # seen when all of it is there, its state as well
}


@pytest.mark.parametrize("middle", FAILING.values(), ids=list(FAILING))
def test_layers_are_found_by_number_where_one_before_could_not_be_built(middle: str) -> None:
    compiled = compile_cfg(PARTIAL.format(middle))
    graph = compiled.graph
    assert len(compiled.errors) == 1
    assert [info.index for info in graph.layers] == [0, 2, 3]
    assert graph.layer(2).name == "2_route"
    assert graph.layer_output(2) is graph.layer_output(0)
    assert graph.layer_inputs(graph.layer(3)) == (graph.layer_output(2),)
    assert {op.layer for op in graph.ops} == {0, 3}
    assert graph.params == graph.states == ()
    assert check(graph) is graph


def test_a_layer_that_is_not_there_is_named() -> None:
    graph = compile_cfg(PARTIAL.format(FAILING["unknown"])).graph
    for number in (1, 4, -1):
        with pytest.raises(IndexError, match=f"no layer {number}"):
            graph.layer_output(number)


@pytest.mark.parametrize("middle", FAILING.values(), ids=list(FAILING))
def test_a_network_without_one_of_its_layers_has_a_cost_a_summary_and_a_drawing(middle: str) -> None:
    graph = compile_cfg(PARTIAL.format(middle)).graph
    assert [c.name for c in cost(graph).layers] == ["0_avgpool", "2_route", "3_upsample"]
    assert [row.index for row in summarize(graph).rows] == [0, 2, 3]
    assert summarize(graph).rows[2].input == (2, 1, 1)
    for full in (True, False):
        assert draw(graph, full=full).boxes[-1].layers[-1] == 3
    assert [s.name for s in layer_speeds(graph, {"3_upsample": 1.0}, 1.0, 1.0)] == ["3_upsample"]
    assert diff(graph, graph) is None


def test_the_roots_are_the_outputs_and_what_states_become(graph: Graph) -> None:
    assert graph.roots == (*graph.outputs, graph.states[0].output)


def test_producers_are_those_that_compute(graph: Graph) -> None:
    assert [graph.producers()[op.output] for op in graph.ops] == list(graph.ops)


def test_a_sole_reader_reads_once_what_nobody_else_wants() -> None:
    b = Builder()
    x = b.input("x", (2,))
    once, twice, square, last = (b.op("relu", x) for _ in range(4))
    y = b.add(b.add(once, twice), b.add(b.mul(square, square), b.sub(twice, last)))
    graph = b.graph(x, y, last)
    alone = graph.sole_readers()
    assert alone[once] is graph.producers()[graph.readers()[once][0].output]
    assert not {x, twice, square, last, y} & alone.keys()


def test_readers_are_those_that_read(graph: Graph) -> None:
    readers = graph.readers()
    assert all(value in op.inputs for value, ops in readers.items() for op in ops)


def test_macs_of_a_convolution(graph: Graph) -> None:
    assert graph.ops[0].macs == 4 * 6 * 8 * 3 * 3 * 3


def test_more_arrays_can_be_added_without_touching_the_old(graph: Graph) -> None:
    value = graph.params[0].value
    loaded = graph.with_data({value: np.zeros(value.shape, np.float32)})
    assert value in loaded.data
    assert value not in graph.data


def test_all_goldens_are_sound_graphs_with_plain_unique_names() -> None:
    letters = set(string.ascii_letters + string.digits + "_.")
    for case in goldens().values():
        compiled = case.compile(as_darknet=True)
        if compiled.errors:
            continue
        graph = check(compiled.graph)
        names = [v.name for v in (*graph.inputs, *graph.data, *(p.value for p in graph.params))]
        names += [op.output.name for op in graph.ops]
        assert len(set(names)) == len(names), case.name
        assert set("".join(names)) <= letters, case.name
        assert sum(p.size for p in graph.params) == sum(math.prod(p.value.shape) for p in graph.params)
