"""The classifiers: each is a family with a row of data, and a sentence on how its structure is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from . import csp_pelee, darknet53, densenet, mobilenet, pelee, pp_res_stage, resnet, timm_like
from .builder import Builder
from .csp_pelee import CSPDense, CSPPelee
from .network import Evidence, Network, Pictures
from .pelee import Pelee
from .resnet import ResNet
from .training import DENSENET, EFFICIENTNET, MISH, Training

OFFICIAL = "The cfg is published in CrossStagePartialNetworks; this one lowers to the same graph."
PELEE_NOTE = (
    "Pelee's code gives the two-way dense layers; the order of the layers and the [maxpool] in the transitions "
    "are those of the paper's Fig. 7, all 126 bars of which PeleeNet and its heads reproduce."
)
CSP_PELEE_NOTE = (
    "The authors never published it. Fig. 7 gives the cost of the 114 layers of CSPPeleeNet, gamma 0.5, all of which "
    "ours reproduces; stages have 2, 4, 8 and 4 dense layers. "
)
GAMMA_NOTE = CSP_PELEE_NOTE + "Three published BFLOPs say that gamma applies to stages 2 to 4. "
OPEN_NOTE = "One open point: the first 1x1 may be 32 -> 8 before the pool instead of 32 -> 32 after it."
SPARSE_NOTE = (
    " Here the dense layers read the outputs 1, 2, 4 and 8 steps back, the only one of 12 rules that gives both "
    "published numbers; those of SPeleeNet-PRN agree (yolov3-spelee-prn.cfg)."
)
GROUP_NOTE = " Reconstructed from one number: the 3x3 convolutions of the dense layers have groups of 8 channels."
STRIDED_NOTE = (
    " Its shortcuts add a map of twice the size, at a stride, as pjreddie's Darknet does; AlexeyAB's of today refuses."
)
RESNET50_NOTE = (
    "pjreddie's published cfg; CrossStagePartialNetworks moves the pool, see resnet50-pool-last.cfg. This one lowers "
    "to the same graph." + STRIDED_NOTE
)
PLUS_ELASTIC_NOTE = (
    "Only the number is published. Ours: elastic blocks in stage 3 alone, and a first stage like the others, as "
    "CSPResNeXt-50-Elastic has it; elastic blocks in stages 1 and 4, or 2 and 4, would cost as much."
)
SE_NOTE = (
    " Reconstructed: squeeze and excitation (to half the channels) on the 32 new channels of every dense layer, "
    "which fits both published numbers."
)
LAST_NOTE = (
    "Fusion last is the same network without the 1x1 convolutions after the pools; three published BFLOPs fix it."
)
FIRST_NOTE = (
    "Of 180,000 regular variants none that is a fusion first by the paper's definition gives the published BFLOPs, "
    "which are linear in gamma with twice the slope of the dense layers. This is CSPPeleeNet without the 1x1 "
    "convolutions between the dense layers and the concatenation."
)
REFERENCE_NOTE = (
    "CSPPeleeNet with 2, 4, 4 and 4 dense layers, bottlenecks of 32, 64, 64 and 64, and 512 channels at the end: "
    "the only regular variant found that gives the published numbers of two classifiers and three detectors."
)
DENSE_NOTE = (
    "The 512 channels at 1/32 and the last convolution follow from the detectors' numbers; everything before is "
    "the simplest of more than a hundred variants with the published numbers: halves, 4, 2, 4 and 4 dense layers, "
    "no other transitions."
)
RESNET10_NOTE = (
    "Nothing but two numbers is published, and no uniform recipe gives both. Of thousands tried this one is the "
    "closest: fusion last, where half of stage 1 and a third of the others bypass one basic block."
)
ELASTIC_NOTE = (
    "allenai/elastic publishes the network in PyTorch; Darknet enlarges by nearest neighbour where it interpolates, "
    "and has 7,856 biases where it has none."
)
CSP_ELASTIC_NOTE = (
    "Never published. This is the paper's recipe with DenseNet-201's own 6, 12, 48 and 32 layers, made elastic: "
    "three quarters of a block's channels bypass it, and a transition precedes the concatenation. Of 300 variants "
    "it is the closest to both numbers, if these were counted as those of DenseNet-201-Elastic were."
)
TIMM_NOTE = (
    "timm's cspnet.py (and mmpretrain, which converts its weights). One 1x1 expands a stage and is cut in halves, "
    "where the authors' cfgs (without the p: {}) have two."
)
SAME_SIZE_NOTE = " Beware: a weights file of either has as many numbers, so the other takes it and computes nonsense."
MM_NOTE = (
    "The network of mmpretrain's cspnet.py with the pictures of its page; its checkpoint becomes the weights "
    "(`darknet-py weights import`)."
)
RA_NOTE = (
    "The network of timm's cspnet.py with the pictures of its default_cfgs; its checkpoint becomes the weights "
    "(`darknet-py weights import`)."
)
PP_NOTE = "PaddleDetection's CSPResStage; the RepVGG blocks are merged into one 3x3, as at inference."
OTHER = (
    "The paper compares it with its own; its cfg is published in CrossStagePartialNetworks, and this one lowers "
    "to the same graph."
)

P, N, R, O = Evidence.PUBLISHED, Evidence.PINNED, Evidence.RECONSTRUCTED, Evidence.OURS  # noqa: E741 - a letter for each, in lists


def _pelee(
    name: str, title: str, evidence: Evidence, note: str, activation: str = "leaky",
    net: Pelee = Pelee(),  # noqa: B008 - it is frozen
) -> Network:  # fmt: skip
    build = partial(pelee.classifier, net=net)
    return Network(name, title, 224, evidence, note, build, activation=activation, keys=DENSENET)


def _csp(
    name: str, title: str, evidence: Evidence = N, note: str = CSP_PELEE_NOTE + OPEN_NOTE, activation: str = "leaky",
    net: CSPPelee = CSPPelee(),  # noqa: B008 - it is frozen
) -> Network:  # fmt: skip
    build = partial(csp_pelee.classifier, net=net)
    return Network(name, title, 224, evidence, note, build, activation=activation, keys=DENSENET)


def _gammas(name: str, title: str, evidence: Evidence, note: str, *, inner: bool, outer: bool) -> list[Network]:
    rows = (("", 0.5), ("-g75", 0.75), ("-g25", 0.25))
    return [
        _csp(f"{name}{suffix}", f"{title}, gamma {gamma:g}", evidence, note, net=_transit(gamma, inner, outer))
        for suffix, gamma in rows
    ]


def _transit(gamma: float, inner: bool, outer: bool) -> CSPPelee:
    return CSPPelee(gamma=gamma, inner_transition=inner, outer_transition=outer)


def _dense(name: str, title: str, last: int) -> Network:
    return Network(name, title, 224, O, DENSE_NOTE, partial(csp_pelee.dense_classifier, net=CSPDense(last=last)),
                   keys=DENSENET)  # fmt: skip


def _official(
    name: str, title: str, build: Callable[[Builder], object], size: int = 256, note: str = OFFICIAL,
    activation: str = "leaky", pictures: Pictures | None = None, keys: Training | None = None,
) -> Network:  # fmt: skip
    return Network(name, title, size, P, note, build, activation=activation, pictures=pictures, keys=keys)


def _timm(name: str, title: str, net: timm_like.CrossStages, authors: str, size: int = 256, more: str = "") -> Network:
    return _official(name, title, partial(timm_like.network, net=net), size, TIMM_NOTE.format(authors) + more, "relie")


def _trained(
    name: str, title: str, net: timm_like.CrossStages, note: str, size: int, pictures: Pictures
) -> Network:  # fmt: skip
    return _official(
        name, title, partial(timm_like.network, net=net, trained=True), size, note, "relie", pictures
    )  # fmt: skip


def _rep(name: str, title: str, net: pp_res_stage.CSPRepResNet) -> list[Network]:
    """All that the published CSPResStage can be told: attn 'eca' or None, act 'swish' or 'relu'."""
    without = replace(net, attention=False)
    rows = (
        ("", "", net, "swish"), ("-relu", " with ReLU", net, "relu"),
        ("-noattn", " without attention", without, "swish"),
        ("-noattn-relu", " without attention, with ReLU", without, "relu"),
    )  # fmt: skip
    return [
        _official(name + suffix, title + more, partial(pp_res_stage.network, net=n), 224, PP_NOTE, activation)
        for suffix, more, n, activation in rows
    ]


REF = CSPPelee((2, 4, 4, 4), (32, 64, 64, 64), last=3)
REF_B = CSPPelee((2, 4, 4, 4), (32, 64, 64, 64), last=1)

PELEE = (
    _pelee("pelee", "PeleeNet", N, PELEE_NOTE),
    _pelee("pelee-swish", "PeleeNet with swish", N, PELEE_NOTE, "swish"),
    _pelee("pelee-mish", "PeleeNet with Mish", N, PELEE_NOTE, "mish"),
    _pelee("spelee", "SPeleeNet (SparsePeleeNet)", N, PELEE_NOTE + SPARSE_NOTE, net=Pelee(sparse=True)),
    _pelee("peleenext", "PeleeNeXt", R, PELEE_NOTE + GROUP_NOTE, net=Pelee(grouped=True)),
    _pelee("sepelee-swish", "SEPeleeNet with swish", R, PELEE_NOTE + SE_NOTE, "swish", Pelee(attention=True)),
    *_gammas("csppelee", "CSPPeleeNet", N, GAMMA_NOTE + OPEN_NOTE, inner=True, outer=True),
    *_gammas("csppelee-fusion-last", "CSPPeleeNet, fusion last", N, GAMMA_NOTE + LAST_NOTE, inner=True, outer=False),
    *_gammas("csppelee-fusion-first", "CSPPeleeNet, fusion first", O, FIRST_NOTE, inner=False, outer=True),
    _csp("csppelee-swish", "CSPPeleeNet with swish", activation="swish"),
    _csp("csppelee-mish", "CSPPeleeNet with Mish", activation="mish"),
    _csp("secsppelee-swish", "SECSPPeleeNet with swish", R, CSP_PELEE_NOTE + OPEN_NOTE + SE_NOTE, "swish",
         CSPPelee(attention=True)),
    _csp("csppelee-ref", "CSPPeleeNet Reference", N, REFERENCE_NOTE, net=REF),
    _csp("csppeleeb-ref", "CSPPeleeNetb Reference", N, REFERENCE_NOTE, net=REF_B),
    _dense("cspdensenet-ref", "CSPDenseNet Reference", 3),
    _dense("cspdensenetb-ref", "CSPDenseNetb Reference", 1),
)  # fmt: skip

RESNETS = (
    _official("resnet10", "ResNet-10", resnet.resnet10, note=OFFICIAL + STRIDED_NOTE),
    Network("csresnet10", "CSPResNet-10", 256, O, RESNET10_NOTE, resnet.csp_resnet10),
    _official("resnet50", "ResNet-50", partial(resnet.resnet, net=ResNet()), note=RESNET50_NOTE),
    _official("resnet50-pool-last", "ResNet-50 that averages class scores instead of features",
              partial(resnet.resnet, net=ResNet(pool_last=True)), note=OFFICIAL + STRIDED_NOTE),
    _official("resnext50", "ResNeXt-50",
              partial(resnet.resnet, net=ResNet((3, 4, 6, 3), (128, 256, 512, 1024), groups=32)),
              note=OFFICIAL + STRIDED_NOTE),
    _official("csresnet50", "CSPResNet-50", partial(resnet.csp_resnet, net=resnet.CSP_RESNET)),
    _official("csresnext50", "CSPResNeXt-50", partial(resnet.csp_resnet, net=resnet.CSP_RESNEXT)),
    _official("csresnet50-mish", "CSPResNet-50 with Mish (published as csresnet50-omega)",
              partial(resnet.csp_resnet, net=resnet.CSP_RESNET), activation="mish", keys=MISH),
    _official("csresnext50-mish", "CSPResNeXt-50 with Mish (published as csresnext50-omega)",
              partial(resnet.csp_resnet, net=resnet.CSP_RESNEXT), activation="mish", keys=MISH),
    _official("csresnet50-elastic", "CSPResNet-50-Elastic",
              partial(resnet.csp_resnet, net=resnet.CSP_RESNET_ELASTIC)),
    _official("csresnext50-elastic", "CSPResNeXt-50-Elastic",
              partial(resnet.csp_resnet, net=resnet.CSP_RESNEXT_ELASTIC)),
    Network("csresnext50-plus-elastic", "CSPResNeXt-50+Elastic", 256, O, PLUS_ELASTIC_NOTE,
            partial(resnet.csp_resnet, net=resnet.CSP_RESNEXT_PLUS_ELASTIC)),
)  # fmt: skip

OTHERS = (
    _official("darknet", "Darknet Reference", darknet53.reference),
    _official("darknet53", "Darknet-53", darknet53.darknet53),
    _official("csdarknet53", "CSPDarknet-53", partial(darknet53.csp_darknet53, net=darknet53.CSP_DARKNET53)),
    _official("csdarknet53-elastic", "CSPDarknet-53-Elastic",
              partial(darknet53.csp_darknet53, net=darknet53.CSP_DARKNET53_ELASTIC)),
    Network("densenet201-elastic", "DenseNet-201-Elastic", 224, P, ELASTIC_NOTE,
            partial(densenet.elastic, net=densenet.DenseNet()), keys=DENSENET),
    Network("csdensenet201-elastic", "CSPDenseNet-201-Elastic", 224, O, CSP_ELASTIC_NOTE,
            partial(densenet.elastic, net=densenet.DenseNet((6, 12, 48, 32), bypass=3)), keys=DENSENET),
    _official("mobilenet-v2", "MobileNet-v2", mobilenet.mobilenet_v2, 224, activation="relu"),
    _official("csmobilenet-v2", "CSPMobileNet-v2", mobilenet.csp_mobilenet_v2, 224, activation="relu"),
    _official("enetb0", "EfficientNet-B0", mobilenet.efficientnet_b0, 224, OTHER, "swish",
              keys=EFFICIENTNET),
    _official("res2netlite72", "Res2NetLite-72", mobilenet.res2net_lite, 224, OTHER),
    _timm("cspdarknet53", "timm's cspdarknet53", timm_like.CSPDARKNET53, "csdarknet53", more=SAME_SIZE_NOTE),
    _timm("cspdarknet50", "mmpretrain's CSPDarkNet50 (timm's cspdarknet53 at 224x224)", timm_like.CSPDARKNET53,
          "csdarknet53", 224, SAME_SIZE_NOTE),
    _timm("cspresnet50", "timm's cspresnet50", timm_like.CSPRESNET50, "csresnet50"),
    _timm("cspresnext50", "timm's cspresnext50", timm_like.CSPRESNEXT50, "csresnext50", 224),
    *_rep("csprepresnet-s", "CSPRepResNet-s of PP-YOLOE", pp_res_stage.SMALL),
    *_rep("csprepresnet-l", "CSPRepResNet-l of PP-YOLOE", pp_res_stage.LARGE),
    _trained("cspdarknet50_3rdparty_8xb32_in1k", "mmpretrain's trained CSPDarkNet50", timm_like.CSPDARKNET53, MM_NOTE,
             256, Pictures(288, "bicubic")),
    _trained("cspresnet50_3rdparty_8xb32_in1k", "mmpretrain's trained CSPResNet50", timm_like.CSPRESNET50, MM_NOTE,
             256, Pictures(288, "bicubic")),
    _trained("cspresnext50_3rdparty_8xb32_in1k", "mmpretrain's trained CSPResNeXt50", timm_like.CSPRESNEXT50, MM_NOTE,
             224, Pictures(256, "bicubic")),
    _trained("cspdarknet53.ra_in1k", "timm's trained cspdarknet53", timm_like.CSPDARKNET53, RA_NOTE,
             256, Pictures(288, "bilinear")),
    _trained("cspresnet50.ra_in1k", "timm's trained cspresnet50", timm_like.CSPRESNET50, RA_NOTE,
             256, Pictures(288, "bilinear")),
    _trained("cspresnext50.ra_in1k", "timm's trained cspresnext50", timm_like.CSPRESNEXT50, RA_NOTE,
             256, Pictures(288, "bilinear")),
    _official("darknet53.c2ns_in1k", "timm's trained darknet53",
              partial(timm_like.dark_network, net=timm_like.DarkStages()), 256, RA_NOTE, "relie",
              Pictures(288, "bicubic")),
)  # fmt: skip

NETWORKS: tuple[Network, ...] = (*PELEE, *RESNETS, *OTHERS)
