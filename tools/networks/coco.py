"""The detectors: a backbone, a head, and a sentence on how each is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from . import csp_pelee, darknet53, heads, pelee, resnet
from .builder import Builder, Tensor
from .csp_pelee import CSPDense, CSPPelee
from .efm import EFM, cem, efm, gfm
from .imagenet import REF
from .network import Evidence, Network
from .pelee import Pelee
from .training import OPTIMAL, TINY, Training

Backbone = Callable[[Builder], list[Tensor]]
Head = Callable[[Builder, Sequence[Tensor]], None]


@dataclass(frozen=True)
class Detector:
    """A backbone and the head that reads its stages."""

    backbone: Backbone
    head: Head

    def __call__(self, b: Builder) -> None:
        """Write both."""
        self.head(b, self.backbone(b))


PELEE: Backbone = partial(pelee.backbone, net=Pelee())
SPARSE_PELEE: Backbone = partial(pelee.backbone, net=Pelee(sparse=True))
CSP_PELEE: Backbone = partial(csp_pelee.backbone, net=CSPPelee())
CSP_PELEE_REF: Backbone = partial(csp_pelee.backbone, net=REF)
CSP_DENSE_REF: Backbone = partial(csp_pelee.dense_backbone, net=CSPDense(last=3))
CSP_DENSEB_REF: Backbone = partial(csp_pelee.dense_backbone, net=CSPDense(last=1))
CSP_RESNEXT50: Backbone = partial(resnet.csp_backbone, net=resnet.CSP_RESNEXT)
CSP_RESNET50: Backbone = partial(resnet.csp_backbone, net=resnet.CSP_RESNET)
CSP_DARKNET53: Backbone = partial(darknet53.csp_backbone, net=darknet53.CSP_DARKNET53)

OFFICIAL = "The cfg is published in CrossStagePartialNetworks; this one lowers to the same graph."
BRANCH = "An earlier cfg from the history of CrossStagePartialNetworks; this one lowers to the same graph."
ELASTIC_NOTE = OFFICIAL + " Published for 416x416, where the halves of an elastic block differ by a pixel; 512 fits."
PRN_NOTE = (
    "The head is that of the published yolov3-tiny-prn.cfg, on the stages of the backbone before they are pooled; "
    "published parameters and BFLOPs agree. "
)
THREE_NOTE = PRN_NOTE + "Which of YOLOv3's nine anchors the three scales use is not published. "
DENSE_NOTE = "The inside of the backbone is not published: see its own cfg."
EFM_NOTE = (
    "Published: the arrows between the levels (Fig. 6), the cost of each of the 24 convolutions of the head (Fig. "
    "7), that max-outs narrow the backbone's outputs, and the totals, which place SAM. Reconstructed: "
    "which arrow three of the convolutions belong to, where exactly the max-outs stand, and whether the level of "
    "1/32 adds or concatenates."
)
PYRAMID_NOTE = " The pyramid (5, 9, 13, between two max-outs) stands for the third convolution of the head."
FPN_NOTE = (
    "Pelee's backbone as in pelee.cfg; the head is pinned by parameters and BFLOPs at two sizes (and by Fig. 7 "
    "for YOLO)."
)
CEM_NOTE = (
    "Only the total is published, and that attention costs 0.116 BFLOPs, which makes three scales of 128 "
    "channels. Ours: ThunderNet's context enhancement in front of them, at the published cost; the mean of C5 scales "
    "channels where ThunderNet adds it, so that any input size fits."
)
GFM_NOTE = (
    "Only the total and Fig. 6(b) are published. Ours: C5, scaled by its mean, C4, C3 and C2 become one map, the "
    "predictions are EFM's; made to cost what the paper says."
)
TINY_NOTE = (
    "The paper compares with it. pjreddie's published cfg, for his weights: this one lowers to the same graph. That of "
    "PartialResidualNetworks reads anchors 1,2,3 instead of 0,1,2 at 1/16, and is the same otherwise."
)
TINY_PRN_NOTE = (
    "The paper compares with it; its cfg is published in PartialResidualNetworks, and this one lowers to the same "
    "graph."
)
SPARSE_NOTE = (
    "PartialResidualNetworks publishes its BFLOPs at two sizes. The backbone is that of spelee.cfg, the head that of "
    "the published yolov3-tiny-prn.cfg."
)

P, N, R, O = Evidence.PUBLISHED, Evidence.PINNED, Evidence.RECONSTRUCTED, Evidence.OURS  # noqa: E741 - a letter for each, in lists


def _net(
    name: str, title: str, evidence: Evidence, note: str, backbone: Backbone, head: Head, size: int = 416,
    activation: str = "leaky", keys: Training | None = None,
) -> Network:  # fmt: skip
    detector = Detector(backbone, head)
    return Network(name, title, size, evidence, note, detector, detector=True, activation=activation, keys=keys)


def _tiny(b: Builder) -> None:
    c4, _, _ = _tiny_backbone(b, 1024)
    heads.yolov3_tiny(b, c4, Tensor(b.count - 1, 1024))


def _tiny_prn(b: Builder) -> None:
    c4, c5, x = _tiny_backbone(b, 512)
    heads.prn(b, (c4, b.shortcut(x, c5, b.activation)), 2)


def _tiny_backbone(b: Builder, last: int) -> tuple[Tensor, Tensor, Tensor]:
    """Darknet Reference whose last pool has stride 1: its outputs at 1/16 and 1/32, and the last 3x3."""
    b.stage("Darknet Reference, stride 32")
    x = b.conv(b.image, 16, 3)
    taps = []
    for channels in (32, 64, 128, 256, 512):
        x = b.conv(b.maxpool(x), channels, 3)
        taps.append(x)
    return taps[-2], taps[-1], b.conv(b.maxpool(x, 2, 1), last, 3)


PRN2: Head = heads.prn
PRN3: Head = partial(heads.prn, scales=3)
DENSE_FPN: Head = partial(heads.fpn, dense=True)
PYRAMID: Head = partial(efm, head=EFM(pyramid=True))
SAM: Head = partial(efm, head=EFM(attention=True))
YOLO_SPP: Head = partial(heads.fpn_spp, reduce=False)

SMALL = (
    _net("yolov3-csppelee-efm", "CSPPeleeNet-EFM (SAM), the paper's mobile detector", R, EFM_NOTE, CSP_PELEE, SAM),
    _net("yolov3-csppelee-efm-plain", "CSPPeleeNet-EFM", R, EFM_NOTE, CSP_PELEE, efm),
    _net("yolov3-csppelee-efm-spp", "CSPPeleeNet-EFM (SPP)", R, EFM_NOTE + PYRAMID_NOTE, CSP_PELEE, PYRAMID),
    _net("yolov3-csppelee-prn", "CSPPeleeNet-PRN", N, PRN_NOTE, CSP_PELEE, PRN2),
    _net("yolov3-csppelee-prn-swish", "CSPPeleeNet-PRN with swish", N, PRN_NOTE, CSP_PELEE, PRN2, activation="swish"),
    _net("yolov3-csppelee-prn-3l", "CSPPeleeNet-PRN-3l", N, THREE_NOTE, CSP_PELEE, PRN3),
    _net("yolov3-csppelee-fpn", "CSPPeleeNet-FPN", O, "The head of PeleeNet-FPN; no published numbers.", CSP_PELEE,
         heads.fpn),
    _net("yolov3-csppelee-cem", "CSPPeleeNet-CEM", O, CEM_NOTE, CSP_PELEE, cem),
    _net("yolov3-csppelee-cem-sam", "CSPPeleeNet-CEM (SAM)", O, CEM_NOTE, CSP_PELEE, partial(cem, attention=True)),
    _net("yolov3-csppelee-gfm", "CSPPeleeNet-GFM", O, GFM_NOTE, CSP_PELEE, gfm),
    _net("yolov3-pelee", "PeleeNet-YOLO", N, FPN_NOTE, PELEE, DENSE_FPN),
    _net("yolov3-pelee-fpn", "PeleeNet-FPN", N, FPN_NOTE, PELEE, heads.fpn),
    _net("yolov3-pelee-prn", "PeleeNet-PRN", N, PRN_NOTE, PELEE, PRN2),
    _net("yolov3-pelee-prn-3l", "PeleeNet-PRN-3l", N, THREE_NOTE, PELEE, PRN3),
    _net("yolov3-spelee-prn", "SPeleeNet-PRN", N, SPARSE_NOTE, SPARSE_PELEE, PRN2),
    _net("yolov3-csppelee-ref-prn", "CSPPeleeNet Reference-PRN", N, PRN_NOTE, CSP_PELEE_REF, PRN2, 320),
    _net("yolov3-csppelee-ref-prn-3l", "CSPPeleeNet Reference-PRN (3l)", N, THREE_NOTE, CSP_PELEE_REF, PRN3, 320),
    _net("yolov3-csppelee-ref-efm", "CSPPeleeNet Reference-EFM (SAM)", R, EFM_NOTE, CSP_PELEE_REF, SAM, 320),
    _net("yolov3-cspdensenet-ref-prn", "CSPDenseNet Reference-PRN", O, PRN_NOTE + DENSE_NOTE, CSP_DENSE_REF, PRN2, 320),
    _net("yolov3-cspdensenet-ref-efm", "CSPDenseNet Reference-EFM (SAM)", O, EFM_NOTE + " " + DENSE_NOTE, CSP_DENSE_REF,
         SAM, 320),
    _net("yolov3-cspdensenetb-ref-prn", "CSPDenseNetb Reference-PRN", O, PRN_NOTE + DENSE_NOTE, CSP_DENSEB_REF, PRN2,
         320),
    Network("yolov3-tiny", "YOLOv3-tiny", 416, P, TINY_NOTE, _tiny, detector=True, keys=TINY),
    Network("yolov3-tiny-prn", "YOLOv3-tiny-PRN", 416, P, TINY_PRN_NOTE, _tiny_prn, detector=True, keys=TINY),
)  # fmt: skip

_MIXED = resnet.WIDE
_WIDE_RESNET: Backbone = partial(resnet.csp_backbone, net=resnet.CSPResNet(part=_MIXED))
_WIDE_RESNEXT: Backbone = partial(
    resnet.csp_backbone,
    net=resnet.CSPResNet(part=_MIXED, inner=(128, 256, 512, 1024), fused=(256, 512, 1024, 2048), groups=32),
)
_DARKNET_M: Backbone = partial(darknet53.csp_backbone, net=darknet53.CSP_DARKNET53_M)
_DARKNET_S: Backbone = partial(darknet53.csp_backbone, net=darknet53.CSP_DARKNET53_S)
_RESNET_ELASTIC: Backbone = partial(resnet.csp_backbone, net=resnet.CSP_RESNET_ELASTIC)
_RESNEXT_ELASTIC: Backbone = partial(resnet.csp_backbone, net=resnet.CSP_RESNEXT_ELASTIC)
_GIOU: Head = partial(heads.panet_spp, yolo=heads.GIOU)
_OPTIMAL: Head = partial(heads.panet_spp, yolo=heads.OPTIMAL)
_X, _R, _D = "CSPResNeXt-50", "CSPResNet-50", "CSPDarknet-53"

LARGE = (
    _net("csresnext50-panet-spp", f"{_X}-PANet (SPP)", P, OFFICIAL, CSP_RESNEXT50, heads.panet_spp),
    _net("csresnext50-panet-spp-giou", f"{_X}-PANet (SPP), trained with GIoU", P, OFFICIAL, CSP_RESNEXT50, _GIOU),
    _net("csresnext50-panet-spp-optimal", f"{_X}-PANet (SPP) as YOLOv4's ablation has it", P, OFFICIAL, CSP_RESNEXT50,
         _OPTIMAL, 512, keys=OPTIMAL),
    _net("csresnext50-fpn-spp", f"{_X}-FPN (SPP)", P, OFFICIAL, CSP_RESNEXT50, heads.fpn_spp),
    _net("csresnext50-yolo-spp", f"{_X}-YOLO (SPP)", P, OFFICIAL, CSP_RESNEXT50, YOLO_SPP),
    _net("csresnext50-elastic-panet-spp", f"{_X}-Elastic-PANet (SPP)", P, ELASTIC_NOTE, _RESNEXT_ELASTIC,
         heads.panet_spp, 512),
    _net("csresnet50-panet-spp", f"{_R}-PANet (SPP)", P, OFFICIAL, CSP_RESNET50, heads.panet_spp),
    _net("csresnet50-elastic-panet-spp", f"{_R}-Elastic-PANet (SPP)", P, ELASTIC_NOTE, _RESNET_ELASTIC,
         heads.panet_spp, 512),
    _net("csdarknet53-panet-spp", f"{_D}-PANet (SPP)", P, OFFICIAL, CSP_DARKNET53, heads.panet_spp),
    _net("csdarknet53m-panet-spp", f"{_D}-PANet (SPP), a narrow first stage", P, BRANCH, _DARKNET_M, heads.panet_spp),
    _net("csdarknet53s-panet-spp", f"{_D}-PANet (SPP), a plain first stage", P, BRANCH, _DARKNET_S, heads.panet_spp),
    _net("csdarknet53m-yolo-spp", f"{_D}-YOLO (SPP), a narrow first stage", P, BRANCH, _DARKNET_M, YOLO_SPP, 608),
    _net("csresnet50c-panet-spp", f"{_R}-PANet (SPP), a wide first stage", P, BRANCH, _WIDE_RESNET, heads.panet_spp),
    _net("csresnext50c-panet-spp", f"{_X}-PANet (SPP), a wide first stage", P, BRANCH, _WIDE_RESNEXT, heads.panet_spp),
    _net("csresnext50c-yolo-spp", f"{_X}-YOLO (SPP), a wide first stage", P, BRANCH, _WIDE_RESNEXT, YOLO_SPP, 608),
)  # fmt: skip

NETWORKS: tuple[Network, ...] = (*SMALL, *LARGE)
