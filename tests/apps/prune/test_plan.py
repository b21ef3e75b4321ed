"""Channels taken out of random networks: where they were 0 nothing changes, whatever joins, splits or scales them."""

from __future__ import annotations

import re
from datetime import timedelta

import numpy as np
import pytest
from goldens import run_layers
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from darknet_py.apps.prune.plan import Arrays, Sets, choose_sets, find_sets
from darknet_py.apps.prune.run import without
from darknet_py.backends.session import open_session
from darknet_py.darknet.compile import Compilation, compile_cfg
from darknet_py.darknet.layers.activations import ACTIVATIONS, NOT_ZERO_AT_ZERO, SUMS_OF_CHANNELS
from darknet_py.darknet.weights import random_weights
from darknet_py.ir.builder import Builder

SETTINGS = settings(
    deadline=timedelta(seconds=10), max_examples=100, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate, Phase.shrink],
)  # fmt: skip

NET = "[net]\nwidth=4\nheight=4\nchannels=3\n"
END = "[convolutional]\nfilters=3\nsize=1\nactivation=linear\n"
ACTIVE = ("leaky", "mish", "linear", "relu", "logistic", "normalize_channels", "normalize_channels_softmax")


def conv(filters: int, *, size: int = 3, groups: int = 1, norm: bool = True, activation: str = "leaky") -> str:
    return (
        f"[convolutional]\nfilters={filters}\nsize={size}\npad=1\ngroups={groups}\nbatch_normalize={int(norm)}\n"
        f"activation={activation}\n"
    )


@st.composite
def layers(draw: st.DrawFn, index: int) -> str:
    """A layer that may or may not fit after `index` others."""
    earlier = st.integers(0, max(0, index - 1))
    filters = draw(st.sampled_from((4, 6, 8, 12)))
    activation = draw(st.sampled_from(ACTIVE[:4] + ACTIVE))
    several = ",".join(str(draw(earlier)) for _ in range(draw(st.integers(1, 3))))
    groups = draw(st.sampled_from((1, 2, 2, 3, 4)))
    kind = draw(st.integers(0, 17))
    if kind < 5:
        norm, size = draw(st.integers(0, 4)) > 0, draw(st.sampled_from((1, 3)))
        return conv(filters, size=size, groups=draw(st.sampled_from((1, 1, 2, 4, filters))), norm=norm,
                    activation=activation)  # fmt: skip
    if kind == 5:
        return f"[convolutional]\nfilters={filters}\nsize=3\npad=1\nshare_index={draw(earlier)}\nactivation=leaky\n"
    if kind < 8:
        return f"[route]\nlayers={several}\ngroups={groups}\ngroup_id={draw(st.integers(0, groups - 1))}\n"
    if kind < 11:
        weights = draw(st.sampled_from(("", "weights_type=per_channel\nweights_normalization=relu\n")))
        return f"[shortcut]\nfrom={several}\nactivation={activation}\n{weights}"
    if kind == 11:
        return f"[sam]\nfrom={draw(earlier)}\nactivation={activation}\n"
    if kind == 12:
        wh = draw(st.integers(0, 1))
        return f"[scale_channels]\nfrom={draw(earlier)}\nscale_wh={wh}\nactivation={activation}\n"
    rest = (
        f"[maxpool]\nmaxpool_depth=1\nout_channels={filters // 2}\n", f"[maxout]\ngroups={filters // 2}\n",
        "[avgpool]\n", f"[maxpool]\nsize=2\nstride=1\npadding={draw(st.sampled_from((1, 3)))}\n", "[batchnorm]\n",
        "[reorg3d]\nstride=2\n", "[reorg3d]\nstride=2\nreverse=1\n", "[upsample]\nstride=2\n",
        "[upsample]\nstride=-2\n", f"[activation]\nactivation={activation}\n", "[dropout]\n", "[reorg]\nstride=2\n",
        "[normalization]\n", f"[connected]\noutput={filters}\nbatch_normalize=1\nactivation={activation}\n",
        f"[implicit]\nfilters={filters}\n", "[softmax]\n", "[local_avgpool]\nsize=2\nstride=2\n",
        f"[local]\nfilters={filters}\nsize=3\npad=1\n",
    )  # fmt: skip
    return draw(st.sampled_from(rest))


@st.composite
def networks(draw: st.DrawFn) -> Compilation:
    """A network of layers that fit to one another, with a convolution at the end."""
    text = conv(8)
    count = 1
    for _ in range(draw(st.integers(2, 10))):
        more = text + draw(layers(count))
        if not compile_cfg(NET + more).errors:
            text, count = more, count + 1
    ended = compile_cfg(NET + text + END)
    return ended if not ended.errors else compile_cfg(NET + text).check()


def emptied(arrays: Arrays, sets: Sets, gone: frozenset[int]) -> dict[tuple[int, str], np.ndarray]:
    """The parameters with all layers that make a channel of these sets giving 0 for it, before their activation."""
    changed = {key: array.copy() for key, array in arrays.items()}
    for layer, (_, flow) in sets.channels.made.items():
        out = [place for place, set_ in enumerate(sets.of(flow)) if set_ in gone]
        for role in ("scales", "biases") if (layer, "scales") in changed else ("weights", "biases"):
            if (layer, role) in changed:
                changed[layer, role][out] = 0
    return changed


def result(compilation: Compilation, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    graph = compilation.graph
    (layers,) = run_layers(graph.with_data({p.value: arrays[p.layer, p.role] for p in graph.params}), [x])
    return layers[max(layers)]


def parameters(compilation: Compilation) -> dict[tuple[int, str], np.ndarray]:
    drawn = random_weights(compilation.graph, 3).arrays
    return {(p.layer, p.role): drawn[p.value] for p in compilation.graph.params}


def pruned_alike(compilation: Compilation, share: float) -> int:
    """Take channels out that were 0, and compare; how many went."""
    arrays = parameters(compilation)
    sets = find_sets(compilation.graph, arrays)
    gone = choose_sets(sets, share=share, below=None, minimum=1)
    zeros = emptied(arrays, sets, gone)
    x = np.random.default_rng(5).standard_normal((1, 3, 4, 4)).astype(np.float32)
    wanted = result(compilation, zeros, x)
    _, smaller, weights = without(compilation, zeros, sets, gone)
    got = result(smaller, {(p.layer, p.role): weights.arrays[p.value] for p in smaller.graph.params}, x)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4 * float(np.abs(wanted).max() or 1))
    return len(gone)


@SETTINGS
@given(networks(), st.sampled_from((0.2, 0.5, 0.9)))
def test_channels_that_were_zero_change_nothing(compilation: Compilation, share: float) -> None:
    pruned_alike(compilation, share)


HALF = conv(8) + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n"
GATE = "[avgpool]\n" + conv(8, size=1, norm=False, activation="logistic")


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (HALF, [(0, 4), (3, 7)]),
        (conv(8) + conv(8, activation="linear") + "[shortcut]\nfrom=-2\n", [(0, 8), (7, 15)]),
        (conv(8) + conv(8, groups=8), [(0, 8), (7, 15)]),
        (conv(8) + conv(8, groups=4), [(0, 1), (0, 8), (8, 9)]),
        (conv(8) + conv(8, groups=2), [(0, 4), (8, 12)]),
        (conv(8) + "[maxout]\ngroups=2\n", [(0, 2), (0, 6), (1, 7)]),
        (conv(8) + "[maxpool]\nmaxpool_depth=1\nout_channels=3\n", [(0, 3), (0, 6), (1, 7), (2, 5)]),
        (conv(8) + GATE + "[scale_channels]\nfrom=0\n", [(0, 8), (7, 15)]),
        (conv(8) + conv(8, norm=False, activation="logistic") + "[sam]\nfrom=0\n", [(0, 8), (7, 15)]),
    ],
)  # fmt: skip
def test_channels_that_go_together(text: str, pairs: list[tuple[int, int]]) -> None:
    compilation = compile_cfg(NET + text + END).check()
    sets = find_sets(compilation.graph, parameters(compilation))
    first = sets.channels.made[0][1].ids[0]
    for a, b in pairs:
        assert sets.channels.set_of(first + a) == sets.channels.set_of(first + b)
    numbers = [sets.channels.set_of(i) for i in sets.channels.made[0][1].ids]
    assert len(set(numbers)) > 1, "not all of them"
    assert set(numbers) & sets.worth.keys()
    assert pruned_alike(compilation, 0.5) > 0


@pytest.mark.parametrize(
    ("text", "layer", "why"),
    [
        (conv(8) + "[maxpool]\nsize=2\nstride=1\npadding=4\n", 0, r"not 0 where a scale is \(layer 2"),
        (conv(8, norm=False), 0, r"no batch normalization to go by \(layer 0 \[convolutional\]\)"),
        (conv(8, activation="logistic"), 0, r"not 0 where a scale is \(layer 1 \[convolutional\]\)"),
        (conv(8) + "[reorg]\nstride=2\n", 0, r"all channels are read here \(layer 1 \[reorg\]\)"),
        (conv(16) + "[reorg3d]\nstride=2\nreverse=1\n", 0, r"layer 1 \[reorg3d\]"),
        (conv(8) + "[normalization]\n", 0, r"layer 1 \[normalization\]"),
        (conv(8) + conv(8, norm=False) + "[shortcut]\nfrom=0\n", 0, r"no batch normalization .*layer 1"),
        (conv(9) + "[route]\nlayers=-1\ngroups=2\n[crop]\ncrop_width=4\ncrop_height=4\nnoadjust=1\n", 0, "route"),
    ],
)  # fmt: skip
def test_what_stays_says_why(text: str, layer: int, why: str) -> None:
    compilation = compile_cfg(NET + text + END)
    sets = find_sets(compilation.graph, parameters(compilation))
    assert re.search(why, sets.why_not(layer))


def test_activations_are_zero_at_zero_but_for_those_that_are_listed() -> None:
    for name, function in ACTIVATIONS.items():
        b = Builder()
        x = b.input("x", (2, 1, 1))
        graph = b.graph(x, function(b, x))
        (y,) = open_session(graph, "numpy").run([np.zeros((1, 2, 1, 1), np.float32)])
        assert (name in NOT_ZERO_AT_ZERO) == bool(y.any()), name
    assert SUMS_OF_CHANNELS <= NOT_ZERO_AT_ZERO


def test_a_layer_keeps_its_minimum_and_those_left_alone_keep_all() -> None:
    compilation = compile_cfg(NET + conv(12) + conv(12) + END).check()
    arrays = parameters(compilation)
    sets = find_sets(compilation.graph, arrays, alone=(1,))
    gone = choose_sets(sets, share=0.99, below=None, minimum=5)
    left = [sum(s not in gone for s in sets.of(sets.channels.made[layer][1])) for layer in (0, 1)]
    assert left == [5, 12]
    assert "left alone" in sets.why_not(1)


def test_those_of_the_smallest_scale_go_first() -> None:
    compilation = compile_cfg(NET + conv(4) + END).check()
    arrays = parameters(compilation)
    arrays[0, "scales"] = np.array([3, -0.1, 0.2, 5], np.float32)
    sets = find_sets(compilation.graph, arrays)
    by_share = choose_sets(sets, share=0.5, below=None, minimum=1)
    by_scale = choose_sets(sets, share=None, below=0.15, minimum=1)
    first = sets.channels.made[0][1].ids[0]
    assert (by_share, by_scale) == ({first + 1, first + 2}, {first + 1})
