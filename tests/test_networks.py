"""The networks of the paper: current files, the published numbers, the official graphs."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from darknet_py.analysis.cost import NetworkCost, cost
from darknet_py.analysis.diff import diff
from darknet_py.backends.session import open_session
from darknet_py.darknet.cfg import parse
from darknet_py.darknet.compile import compile_cfg, compile_file
from darknet_py.darknet.layers.layer import layer_of
from darknet_py.errors import Diagnostics
from darknet_py.ir import Graph, Param
from tools.networks import NETWORKS, Network, darknet53, densenet, resnet
from tools.networks.__main__ import CFGS, files
from tools.networks.builder import Builder, Tensor
from tools.networks.published import QUANTITIES, Figure, cost_of, figures, graph_of

CSP, PRN, PJREDDIE = "WongKinYiu+CrossStagePartialNetworks", "WongKinYiu+PartialResidualNetworks", "pjreddie+darknet"
ALEXEYAB = "AlexeyAB+darknet"

# Ours, and the published cfgs that must lower to the same graph.
OFFICIAL = {
    "darknet": [f"{CSP}/cfg__darknet", f"{PJREDDIE}/cfg__darknet"],
    "darknet53": [f"{CSP}/cfg__darknet53", f"{PJREDDIE}/cfg__darknet53"],
    "resnet10": [f"{CSP}/cfg__resnet10"],
    "resnet50": [f"{PJREDDIE}/cfg__resnet50", f"{CSP}/in_progress__darknet__icfg__resnet50-leaky"],
    "resnet50-pool-last": [f"{CSP}/cfg__resnet50"],
    "resnext50": [
        f"{CSP}/cfg__resnext50", f"{PJREDDIE}/cfg__resnext50", f"{CSP}/in_progress__darknet__icfg__resnext50-leaky",
    ],
    "csresnet50": [f"{CSP}/cfg__csresnet50", f"{CSP}/cfg__csresnet50-gamma"],
    "csresnext50": [f"{CSP}/cfg__csresnext50", f"{CSP}/cfg__csresnext50-gamma"],
    "csresnet50-mish": [f"{CSP}/cfg__csresnet50-omega"],
    "csresnext50-mish": [f"{CSP}/cfg__csresnext50-omega"],
    "csresnet50-elastic": [f"{CSP}/cfg__csresnet50-elastic"],
    "csresnext50-elastic": [f"{CSP}/cfg__csresnext50-elastic"],
    "csdarknet53": [f"{CSP}/cfg__csdarknet53", f"{CSP}/cfg__csdarknet53-gamma"],
    "csdarknet53-elastic": [f"{CSP}/cfg__csdarknet53-elastic"],
    "mobilenet-v2": [f"{CSP}/cfg__mobilenet-v2"],
    "csmobilenet-v2": [f"{CSP}/cfg__csmobilenet-v2"],
    "enetb0": [f"{CSP}/cfg__enetb0"],
    "res2netlite72": [f"{CSP}/cfg__res2netlite72"],
    "yolov3-tiny": [f"{PJREDDIE}/cfg__yolov3-tiny"],
    "yolov3-tiny-prn": [f"{PRN}/cfg__yolov3-tiny-prn", f"{ALEXEYAB}/cfg__yolov3-tiny-prn"],
    "csresnext50-panet-spp": [f"{CSP}/cfg__csresnext50-panet-spp", f"{ALEXEYAB}/cfg__csresnext50-panet-spp"],
    "csresnext50-panet-spp-giou": [f"{CSP}/cfg__csresnext50-panet-spp-giou"],
    "csresnext50-panet-spp-optimal": [
        f"{CSP}/cfg__csresnext50-panet-spp-original-optimal",
        f"{ALEXEYAB}/cfg__csresnext50-panet-spp-original-optimal",
    ],
    "csresnext50-fpn-spp": [f"{CSP}/in_progress__csresnext50-fpn-spp"],
    "csresnext50-yolo-spp": [f"{CSP}/in_progress__csresnext50-yolo-spp"],
    "csresnet50-panet-spp": [f"{CSP}/cfg__csresnet50-panet-spp", f"{CSP}/in_progress__csresnet50-panet-spp"],
    "csdarknet53-panet-spp": [f"{CSP}/cfg__csdarknet53-panet-spp", f"{CSP}/in_progress__csdarknet53-panet-spp"],
    "csresnet50-elastic-panet-spp": [f"{CSP}/in_progress__csresnet50-elastic-panet-spp"],
    "csresnext50-elastic-panet-spp": [f"{CSP}/in_progress__csresnext50-elastic-panet-spp"],
    "csdarknet53m-panet-spp": [f"{CSP}/_branch/cfg__csdarknet53m-panet-spp@896a5c89"],
    "csdarknet53s-panet-spp": [f"{CSP}/_branch/cfg__csdarknet53s-panet-spp@a89a3231"],
    "csdarknet53m-yolo-spp": [f"{CSP}/_branch/cfg__csdarknet53-yolo-spp@261c502c"],
    "csresnet50c-panet-spp": [f"{CSP}/_branch/cfg__csresnet50c-panet-spp@87075f32"],
    "csresnext50c-panet-spp": [f"{CSP}/_branch/cfg__csresnext50c-panet-spp@1b323693"],
    "csresnext50c-yolo-spp": [f"{CSP}/_branch/cfg__csresnext50c-yolo-spp@8eb14849"],
}  # fmt: skip
# PaddleDetection's CSPResStage: what a name has after its size, `attn`, and `act`.
REP_VARIANTS = [
    ("", True, "swish"), ("-relu", True, "relu"), ("-noattn", False, "swish"), ("-noattn-relu", False, "relu"),
]  # fmt: skip
PAIRS = [(ours, theirs) for ours, list_ in OFFICIAL.items() for theirs in list_]

# The activation studies of in_progress/darknet/icfg: our program with another activation. Published by their names;
# resnext50-relu really says swish.
STUDIES = [
    ("resnet50", "mish", "mish"), ("resnet50", "relu", "relu"), ("resnet50", "swish", "swish"),
    ("resnext50", "mish", "mish"), ("resnext50", "relu", "swish"), ("darknet53", "leaky", "leaky"),
    ("darknet53", "mish", "mish"), ("darknet53", "relu", "relu"), ("darknet53", "swish", "swish"),
]  # fmt: skip

# Sections and activations of ours that AlexeyAB's parser.c and activations.c know.
DARKNET = {
    "net", "convolutional", "maxpool", "avgpool", "local_avgpool", "route", "shortcut", "upsample", "yolo", "softmax",
    "dropout", "batchnorm", "activation", "scale_channels", "sam",
    "leaky", "linear", "relu", "logistic", "swish", "mish", "relie",
}  # fmt: skip

EFM_LEVELS = ((128, 104), (256, 52), (512, 26))  # channels and size of what the max-outs of EFM narrow


def graph(name: str) -> Graph:
    return graph_of(name, NETWORKS[name].size)


def built(program: object, activation: str = "leaky", size: int = 256) -> Graph:
    text = Network("x", "x", size, next(iter(NETWORKS.values())).evidence, "", program, activation=activation).text()  # type: ignore[arg-type]
    return compile_cfg(text).check().graph


def of_layers(total: NetworkCost) -> list[float]:
    return [c.bflops_paper for c in total.layers]


# -- the files ---------------------------------------------------------------------------------------------------


def test_the_files_are_what_the_programs_write() -> None:
    stale = [name for name, text in files() if not (CFGS / name).is_file() or (CFGS / name).read_text() != text]
    assert stale == [], "run `make cfgs`"


def test_every_cfg_has_its_program() -> None:
    assert {p.stem for p in CFGS.glob("*.cfg")} == set(NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_cfg_compiles_and_warns_only_of_what_official_ones_have(name: str) -> None:
    warnings = {d.code for d in compile_file(CFGS / f"{name}.cfg").check().diagnostics}
    strided_shortcuts = {"DK310"} if name.startswith(("resnet", "resnext")) else set()
    assert warnings == strided_shortcuts


@pytest.mark.parametrize("name", NETWORKS)
def test_a_header_says_how_it_was_made_and_how_it_is_known(name: str) -> None:
    text = (CFGS / f"{name}.cfg").read_text()
    header = " ".join(line.removeprefix("# ") for line in text.split("\n\n")[0].splitlines())
    assert "Written by `python -m tools.networks`" in header
    assert f"Structure: {NETWORKS[name].evidence}." in header


def test_a_header_names_the_module_that_is_to_be_edited() -> None:
    made = {"csppelee": "csp_pelee", "yolov3-tiny": "coco", "yolov3-csppelee-efm-codes": "codes"}
    for name, module in made.items():
        assert f"from tools/networks/{module}.py: edit that." in NETWORKS[name].text()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_header_says_where_the_keys_for_training_are_from(name: str) -> None:
    header = (CFGS / f"{name}.cfg").read_text().partition("[net]")[0]
    assert header.count("# To train: ") + header.count("# It has no keys for training") == 1


@pytest.mark.parametrize("name", [name for name in OFFICIAL if name != "resnet50"])  # pjreddie's, of another budget
def test_the_keys_for_training_are_those_of_the_published_cfg(name: str, shared: Path) -> None:
    published = next(path for path in OFFICIAL[name] if not path.startswith(PJREDDIE) or len(OFFICIAL[name]) == 1)
    ours, theirs = (net_of(path) for path in (CFGS / f"{name}.cfg", shared / "cfgs" / f"{published}.cfg"))
    for key in ("max_batches", "decay", "momentum", "learning_rate", "policy", "burn_in", "steps", "step", "power"):
        assert ours.get(key) == theirs.get(key), key


def net_of(path: Path) -> dict[str, str]:
    """The options of [net]; of one that is given twice the last counts."""
    first = parse(path.read_bytes(), path.name, Diagnostics()).sections[0]
    return {option.key: option.value or "" for option in first.options}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_header_names_what_darknet_does_not_know(name: str) -> None:
    text = (CFGS / f"{name}.cfg").read_text()
    used = {*re.findall(r"^\[(\w+)\]", text, re.MULTILINE), *re.findall(r"^activation=(\w+)", text, re.MULTILINE)}
    header = text.partition("[net]")[0]
    assert used - DARKNET == set(re.findall(r"Darknet has no \[?(\w+)", header))


@pytest.mark.parametrize("name", [n for n, network in NETWORKS.items() if network.detector])
def test_the_heads_of_a_detector_fit_their_convolutions_and_coarser_ones_have_larger_anchors(name: str) -> None:
    g = graph(name)
    heads = [g.layers[i] for i in g.heads]
    masks = [head.layer.mask for head in heads]  # type: ignore[attr-defined]
    classes = len(NETWORKS[name].names) or 80
    assert all(head.output.shape[0] == len(mask) * (classes + 5) for head, mask in zip(heads, masks, strict=True))
    strides = [g.image.shape[1] // head.output.shape[1] for head in heads]
    by_stride = [mask for _, mask in sorted(zip(strides, masks, strict=True))]
    assert len(heads) == len(set(strides))
    assert [i for mask in by_stride for i in mask] == sorted(i for mask in masks for i in mask)


def test_no_reference_is_absolute_and_no_route_is_idle() -> None:
    for path in CFGS.glob("*.cfg"):
        for section in parse(path.read_bytes(), path.name, Diagnostics()).sections:
            options = {o.key: o.value or "" for o in section.options}
            refs = [options[key] for key in ("layers", "from") if key in options]
            assert all(int(r) < 0 for ref in refs for r in ref.split(",")), f"{path.name}: [{section.name}] {refs}"
            assert options != {"layers": "-1"}, path.name


# -- the numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", figures(), ids=lambda f: f"{f.network}-{f.size}-{f.quantity}-{f.source}")
def test_a_published_figure_is_met_or_its_deviation_has_a_reason(figure: Figure) -> None:
    assert figure.met or figure.reason, f"{figure.ours:.4f} against {figure.value}: {figure.deviation:+.2%}"


def test_at_least_fifty_figures_are_met() -> None:
    assert sum(f.met for f in figures()) >= 100


def test_every_quantity_and_every_reason_belongs_to_a_figure() -> None:
    import tomllib

    from tools.networks.published import FILE

    reasons = tomllib.loads(FILE.read_text())["reasons"]
    assert {f.reason for f in figures()} - {""} == set(reasons.values())
    assert {f.quantity for f in figures()} == set(QUANTITIES)


def test_csp_saves_what_the_paper_says() -> None:
    def saved(csp: str, plain: str) -> float:
        return 1 - cost(graph(csp)).bflops_paper / cost(graph(plain)).bflops_paper

    assert saved("csresnext50", "resnext50") == pytest.approx(0.22, abs=0.005)
    assert saved("csppelee", "pelee") == pytest.approx(0.13, abs=0.005)
    assert saved("csppelee-fusion-last", "pelee") == pytest.approx(0.21, abs=0.005)


def test_fig_7_bottlenecks_fall_by_44_and_80_percent() -> None:
    yolo, prn, efm = (max(of_layers(cost_of(f"yolov3-{n}", 416))) for n in ("pelee", "pelee-prn", "csppelee-efm-plain"))
    assert (yolo, prn, efm) == pytest.approx((0.99680, 0.35442, 0.19936), abs=1e-5)
    assert 1 - efm / prn == pytest.approx(0.44, abs=0.005)
    assert 1 - efm / yolo == pytest.approx(0.80, abs=0.0005)


def test_fig_7_gives_every_convolution_of_the_head_of_efm() -> None:
    measured = [
        0.0554, 0.1994, 0.0111, 0.0443, 0.1994, 0.0111, 0.0498, 0.0111, 0.0498, 0.0498, 0.0222, 0.1994, 0.0111,
        0.0443, 0.1994, 0.0883, 0.0997, 0.0443, 0.1994, 0.0441, 0.0997, 0.0111, 0.0498, 0.0110,
    ]  # fmt: skip
    g = graph("yolov3-csppelee-efm-plain")
    costs = zip(cost(g).layers, g.layers, strict=True)
    convs = [c.bflops_paper for c, i in costs if layer_of(i).family == "convolution"]
    assert sorted(convs[-len(measured) :]) == pytest.approx(sorted(measured), abs=1e-4)


def test_fig_8_cio_of_resnext_50_falls_to_32_6_million() -> None:
    assert cost_of("resnext50", 256).cio / 1e6 == pytest.approx(34.4, abs=0.05)
    assert cost_of("csresnext50", 256).cio / 1e6 == pytest.approx(32.6, abs=0.05)


def test_maxout_saves_three_quarters_of_what_the_pyramid_reads() -> None:
    g = graph("yolov3-csppelee-efm")
    narrowed = [i for i in g.layers if i.section == "maxout"]
    read = [g.layers[i.inputs[0]].output.shape for i in narrowed]
    assert sorted(read) == [(c, s, s) for c, s in EFM_LEVELS]
    assert all(4 * i.output.shape[0] == r[0] for i, r in zip(narrowed, read, strict=True))


@pytest.mark.parametrize(("channels", "growth", "layers"), [(64, 32, 4), (128, 16, 7)])
def test_a_partial_dense_block_has_the_cio_of_the_papers_formula(channels: int, growth: int, layers: int) -> None:
    def cio(start: int) -> float:
        b = Builder()
        z = b.conv(b.image, start)
        for _ in range(layers):
            z = b.concat(z, b.conv(z, growth, 3))
        g = compile_cfg("[net]\nwidth=8\nheight=8\nchannels=3\n" + "\n".join(b.sections)).check().graph
        return sum(c.cio for c in cost(g).layers[1:]) / 64

    m, d = layers, growth
    assert cio(channels) == channels * m + (m * m + m) * d / 2
    assert cio(channels // 2) == (channels * m + (m * m + m) * d) / 2


# -- the official cfgs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda x: x.split("/")[-1])
def test_the_graph_is_that_of_the_published_cfg(ours: str, theirs: str, shared: Path) -> None:
    size = NETWORKS[ours].size
    published = compile_file(shared / "cfgs" / f"{theirs}.cfg", size=(size, size)).check().graph
    assert diff(graph(ours), published) is None


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda x: x.split("/")[-1])
def test_a_weights_file_of_the_published_cfg_fits(ours: str, theirs: str, shared: Path) -> None:
    """The same parameters of the same shapes in the same order."""
    size = NETWORKS[ours].size
    published = compile_file(shared / "cfgs" / f"{theirs}.cfg", size=(size, size)).check().graph
    ours_, theirs_ = ([(p.role, p.value.shape, p.layout) for p in g.params] for g in (graph(ours), published))
    assert ours_ == theirs_


@pytest.mark.parametrize(("name", "published_as", "activation"), STUDIES)
def test_activation_studies_are_a_change_of_one_word(
    name: str, published_as: str, activation: str, shared: Path
) -> None:
    programs = {
        "resnet50": partial(resnet.resnet, net=resnet.ResNet()), "darknet53": darknet53.darknet53,
        "resnext50": partial(resnet.resnet, net=resnet.ResNet((3, 4, 6, 3), (128, 256, 512, 1024), groups=32)),
    }  # fmt: skip
    path = shared / "cfgs" / CSP / f"in_progress__darknet__icfg__{name}-{published_as}.cfg"
    assert diff(built(programs[name], activation), compile_file(path).check().graph) is None


def test_hard_sigmoid_is_relu6_of_x_plus_3_over_6() -> None:
    net = "[net]\nwidth=5\nheight=1\nchannels=1\n[activation]\nactivation=hard_sigmoid"
    x = np.array([-4, -3, 0, 1.5, 9], np.float32).reshape(1, 1, 1, 5)
    (y,) = open_session(compile_cfg(net).check().graph, "numpy").run([x])
    np.testing.assert_allclose(y.ravel(), [0, 0, 0.5, 0.75, 1], atol=1e-7)


def test_timms_cspdarknet53_takes_the_authors_weights_without_being_their_network() -> None:
    timm, authors = graph("cspdarknet53"), graph("csdarknet53")
    assert cost(timm).params_file == cost(authors).params_file
    assert diff(timm, authors) is not None
    assert "computes nonsense" in NETWORKS["cspdarknet53"].note


@pytest.mark.parametrize("size", ["s", "l"])
@pytest.mark.parametrize(("suffix", "attention", "activation"), REP_VARIANTS)
def test_csp_res_stage_takes_attention_and_activation_as_published(
    size: str, suffix: str, attention: bool, activation: str
) -> None:
    name = f"csprepresnet-{size}{suffix}"
    whole, variant = graph(f"csprepresnet-{size}"), graph(name)
    sections = [layer.section for layer in variant.layers]
    assert sections.count("scale_channels") == (4 if attention else 0)
    activations = {line for line in NETWORKS[name].text().splitlines() if line.startswith("activation=")}
    assert activations == {"activation=linear", f"activation={activation}", *(["activation=hard_sigmoid"] * attention)}
    gates = [p for p in whole.params if p.role == "weights" and _is_gate(whole, p)]
    lost = 0 if attention else sum(p.size + p.value.shape[0] for p in gates)
    assert cost(variant).params_file == cost(whole).params_file - lost


def _is_gate(g: Graph, param: Param) -> bool:
    """Whether weights are of an effective squeeze and excitation: as many channels out as in, of one pixel."""
    out, in_, *_ = param.value.shape
    return out == in_ and g.layer_inputs(g.layer(param.layer))[0].shape[1:] == (1, 1)


def test_a_trained_network_is_that_of_timm_after_a_normalization() -> None:
    plain, trained = graph("cspdarknet53"), graph("cspdarknet53.ra_in1k")
    assert [layer.section for layer in trained.layers] == ["batchnorm", *(layer.section for layer in plain.layers)]
    assert [p.value.shape for p in trained.params[4:]] == [p.value.shape for p in plain.params]


def test_yolov3_tiny_of_partial_residual_networks_differs_in_one_mask_as_the_header_says(shared: Path) -> None:
    theirs = compile_file(shared / "cfgs" / PRN / "cfg__yolov3-tiny.cfg").check().graph
    difference = diff(graph("yolov3-tiny"), theirs)
    assert difference is not None
    assert (difference.layer_a, difference.what) == ("23_yolo", "mask 0,1,2 against 1,2,3")
    assert "reads anchors 1,2,3 instead of 0,1,2" in NETWORKS["yolov3-tiny"].note


# -- the builder -------------------------------------------------------------------------------------------------


def test_a_tensor_that_is_not_the_last_one_gets_a_route() -> None:
    b = Builder()
    first = b.conv(b.image, 4)
    b.conv(first, 8)
    assert b.conv(first, 2) == Tensor(3, 2)
    assert b.sections[2] == "[route]\nlayers=-2\n"


def test_a_shortcut_routes_to_what_it_adds_to() -> None:
    b = Builder()
    first, second = b.conv(b.image, 4), b.conv(Tensor(0, 4), 4)
    b.shortcut(first, second)
    assert b.sections[2:] == ["[route]\nlayers=-2\n", "[shortcut]\nfrom=-2\nactivation=linear\n"]


def test_attention_multiplies_with_its_own_input() -> None:
    b = Builder()
    b.sam(b.conv(b.image, 4))
    assert b.sections[-1] == "[sam]\nfrom=-2\n"


def test_the_last_block_of_densenet_has_no_coarse_way() -> None:
    sections = [
        i.section for i in built(partial(densenet.elastic, net=densenet.DenseNet((1, 1, 1, 1))), size=224).layers
    ]
    assert sections.count("upsample") == 3
