"""Networks written back for AlexeyAB's Darknet: the same bytes where nothing changed, the same numbers where it did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from goldens import SENSITIVE, TOLERANCE, Golden, error, goldens, run_layers

from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.network import Network, open_network
from darknet_py.darknet.weights import write_weights
from darknet_py.darknet.writing import Rewritten, in_darknet
from darknet_py.errors import DataError

CASES = [c for c in goldens().values() if c.ran]
THEIRS = [c for c in goldens("golden_pj").values() if c.ran]
MISREAD = ("act_conv_bogus_name", "act_layer_bogus_name", "parse_comments")  # errors, unless read as Darknet reads them
BN_BITS = "conv_xnor"  # signs of sums: rounding turns them over

# What only pjreddie's Darknet computes, and the layer that says so.
ONLY_THEIRS = {
    "pj_deconv_bn_pad", "pj_deconv_s1", "pj_deconv_s2", "pj_l2norm", "pj_reorg_extra", "pj_reorg_flatten",
    "pj_short_alpha_beta", "pj_short_down2", "pj_short_down2_lessc", "pj_short_down2_morec", "pj_short_up2",
}  # fmt: skip

NET = "[net]\nwidth=8\nheight=8\nchannels=4\n"


def opened(case: Golden) -> Network:
    return open_network(
        case.folder / "net.cfg", case.folder / "net.weights", dialect=case.dialect, as_darknet=case.name in MISREAD
    )


def agree(network: Network, written: Rewritten, tolerance: float, steps: list[np.ndarray]) -> None:
    again = written.compilation.graph.with_data(written.weights.arrays)
    both = zip(run_layers(network.graph, steps), run_layers(again, steps), strict=True)
    for wanted, got in both:
        last = max(got)
        assert error(got[last], wanted[last]) < tolerance


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_weights_of_an_unchanged_network_are_the_same_bytes(case: Golden, tmp_path: Path) -> None:
    written = in_darknet(opened(case), letterbox=False)
    write_weights(tmp_path / "net.weights", written.compilation.graph, written.weights)
    own = case.folder / "net.weights"
    if own.exists():
        assert (tmp_path / "net.weights").read_bytes() == own.read_bytes()
    assert len(written.compilation.cfg.sections) == len(case.compile().cfg.sections)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_folded_networks_compute_the_same(case: Golden) -> None:
    network = opened(case)
    written = in_darknet(network, letterbox=False, fold=True)
    agree(network, written, SENSITIVE.get(case.name, 1e-3 if case.name.startswith(BN_BITS) else 30 * TOLERANCE),
          case.steps())  # fmt: skip


@pytest.mark.parametrize("case", [c for c in THEIRS if c.name not in ONLY_THEIRS], ids=lambda c: c.name)
def test_what_pjreddies_darknet_shares_with_alexeyabs_is_written(case: Golden) -> None:
    network = opened(case)
    agree(network, in_darknet(network, letterbox=False), TOLERANCE, case.steps())


@pytest.mark.parametrize("case", [c for c in THEIRS if c.name in ONLY_THEIRS], ids=lambda c: c.name)
def test_what_only_pjreddies_darknet_computes_is_refused(case: Golden) -> None:
    with pytest.raises(DataError, match=r"net\.cfg:\d+:\d+: layer \d+ .* cannot be written for AlexeyAB's Darknet"):
        in_darknet(opened(case), letterbox=False)


def random_network(text: str, folder: Path, **options: object) -> Network:
    cfg = folder / "net.cfg"
    cfg.write_text(NET + text)
    return open_network(cfg, random=1, **options)


def same(text: str, folder: Path, dialect: str = "alexeyab", **options: object) -> str:
    """The text that a network of some sections becomes, which computes the same."""
    network = random_network(text, folder, dialect=dialect)
    written = in_darknet(network, letterbox=False, **options)  # type: ignore[arg-type]  # of the tests below
    noise = np.random.default_rng(0).standard_normal((1, *network.graph.image.shape)).astype(np.float32)
    agree(network, written, 30 * TOLERANCE, [noise])
    return written.text


CONV = "[convolutional]\nfilters=6\nsize=3\npad=1\nbatch_normalize=1\nactivation={}\n"


def test_maxout_is_spelled_as_darknet_does(tmp_path: Path) -> None:
    text = same("[maxout]\ngroups=2\n" + CONV.format("mish"), tmp_path)
    assert "[maxpool]\nmaxpool_depth=1\nout_channels=2\nsize=1\nstride=1\n" in text
    assert "[maxout]" not in text


def test_another_epsilon_becomes_other_scales(tmp_path: Path) -> None:
    for dialect in ("pytorch", "pjreddie"):
        same(CONV.format("leaky"), tmp_path, dialect)


def test_silu_is_called_swish_and_halves_are_groups(tmp_path: Path) -> None:
    text = same(CONV.format("silu") + "[route_lhalf]\nlayers=-1\n[route2]\nlayers=-1,-2\n", tmp_path, "pytorch")
    assert "activation=swish" in text
    assert "[route]\nlayers=-1\ngroups=2\ngroup_id=0\n" in text
    assert "[route]\nlayers=-1,-2\n" in text


def test_boxes_of_the_pytorch_code_are_new_coords_after_a_logistic(tmp_path: Path) -> None:
    text = "[convolutional]\nfilters=7\nactivation=linear\n[yolo]\nclasses=2\nnum=1\nmask=0\nanchors=4,6\n"
    written = same(text, tmp_path, "pytorch")
    assert "activation=logistic" in written
    assert "new_coords=1\nscale_x_y=2.0\n" in written
    theirs, own = (compile_cfg(t, dialect=d).decoders[0] for t, d in ((NET + text, "pytorch"), (written, "alexeyab")))
    raw = np.random.default_rng(1).standard_normal((7, 8, 8)).astype(np.float32)
    both = [d.decode(1 / (1 + np.exp(-raw)), (8, 8), 0.1) for d in (theirs, own)]
    np.testing.assert_allclose(both[0].boxes, both[1].boxes, rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "dialect", "told"),
    [
        (CONV.format("hard_sigmoid"), "alexeyab", r"net\.cfg:10:1: layer 0 .*no activation hard_sigmoid"),
        ("[maxpool]\nsize=2\nstride=1\n", "pytorch", "layer 0 .*zeros beyond the edge"),
        ("[implicit_add]\nfilters=4\n", "pytorch", "layer 0 .*no layer that computes this"),
        ("[convolutional]\nfilters=7\nactivation=leaky\n[yolo]\nclasses=2\nanchors=4,6\n", "pytorch",
         "layer 1 .*convolution with activation=linear"),
        (CONV.format("linear") + "[shortcut]\nfrom=-1\nalpha=2\n", "pjreddie", "layer 1 .*without factors"),
    ],
)  # fmt: skip
def test_what_darknet_cannot_say_is_refused_by_layer(text: str, dialect: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told):
        in_darknet(random_network(text, tmp_path, dialect=dialect), letterbox=False)


def test_the_first_layers_alone_are_a_network(tmp_path: Path) -> None:
    network = random_network(CONV.format("leaky") * 3, tmp_path)
    written = in_darknet(network, letterbox=False, layers=2)
    assert len(written.compilation.graph.layers) == 2
    write_weights(tmp_path / "net.weights", written.compilation.graph, written.weights)
    assert (tmp_path / "net.weights").stat().st_size == 20 + 4 * (2 * 4 * 6 + 6 * 4 * 9 + 6 * 6 * 9)
    with pytest.raises(DataError, match="has 3 layers"):
        in_darknet(network, letterbox=False, layers=4)


def test_the_size_and_the_padding_that_were_asked_for_are_in_net(tmp_path: Path) -> None:
    network = random_network(CONV.format("leaky"), tmp_path, size=(16, 24))
    net = in_darknet(network, letterbox=True).compilation.net
    assert (net.height, net.width, net.letter_box) == (16, 24, 1)
    assert in_darknet(network, letterbox=False).compilation.net.letter_box == 0


def test_what_only_we_read_is_plain_in_what_is_written(tmp_path: Path) -> None:
    text = "[maxpool]\nsize = 2  # a window\nstride=2\n\n[route]\nlayers=-1,\n"
    written = in_darknet(random_network(text, tmp_path), letterbox=False)
    assert written.compilation.diagnostics == ()
    assert "size=2\nstride=2\n" in written.text
    assert "layers=-1\n" in written.text
