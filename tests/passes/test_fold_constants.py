"""What does not depend on the input is computed once."""

from __future__ import annotations

import pytest
from agree import agree, network
from graphs import computes_the_same, kinds

from darknet_py.passes import fold_constants, optimize

NET = "[net]\nwidth=4\nheight=4\nchannels=3\n[convolutional]\nfilters=16\nsize=1\n[implicit]\nfilters=8\n"
AFTER = {
    "convolutional": "filters=4\nsize=1\nactivation=leaky\n",
    "local": "filters=2\nsize=1\n",
    "maxpool": "size=1\nstride=1\n",
    "upsample": "stride=2\n",
}


def test_what_follows_an_implicit_parameter_is_computed_for_one_sample_and_repeated() -> None:
    before = network(f"{NET}[convolutional]\n{AFTER['convolutional']}")
    after = optimize(before, (fold_constants,))
    assert kinds(after) == ["conv", "sigmoid", *["repeat_batch"] * 2]
    computes_the_same(before, after)


@pytest.mark.parametrize("section", AFTER)
def test_every_runtime_takes_a_layer_behind_an_implicit_parameter(section: str) -> None:
    agree(network(f"{NET}[{section}]\n{AFTER[section]}"))
