"""The graph: outputs that can be chosen, provenance, and names."""

from __future__ import annotations

import math
import string

import numpy as np
import pytest
from goldens import goldens

from darknet_py.darknet.compile import compile_cfg
from darknet_py.ir import Graph, check

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
