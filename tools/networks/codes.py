"""The detector of barcodes and matrix codes that is trained here, and ships with its weights.

Its structure is that of a sibling, with five classes; what differs is how it is trained (tools/train/codes): on drawn
pictures that need no further change, with the box loss of YOLOv4.
"""

from __future__ import annotations

from functools import partial

from . import csp_pelee
from .coco import Detector
from .csp_pelee import CSPPelee
from .efm import EFM, efm
from .heads import Yolo
from .network import Evidence, Network
from .training import Training

NAMES = ("barcode", "qrcode", "datamatrix", "aztec", "pdf417")
# Nine clusters of the boxes of 4,000 drawn pictures at 416x416: `python -m tools.train.codes.anchors`.
ANCHORS = (59, 25, 39, 63, 76, 79, 183, 52, 119, 129, 279, 126, 159, 237, 316, 255, 372, 377)
HEADS = Yolo(
    ANCHORS,
    {
        "jitter": 0, "random": 0, "iou_thresh": 0.213, "cls_normalizer": 1.0, "iou_normalizer": 0.07,
        "iou_loss": "ciou", "nms_kind": "greedynms", "beta_nms": 0.6,
    },
    (1.2, 1.1, 1.05),
    len(NAMES),
)  # fmt: skip
TRAIN = "python -m tools.train.codes.train (make weights)"
KEYS = """\
momentum=0.9
decay=0.0005
flip=0
learning_rate=0.003
burn_in=300
max_batches=40000
policy=steps
steps=32000,36000
scales=.1,.1
"""
NOTE = (
    "The network of yolov3-csppelee-efm.cfg with five classes, for barcodes of all kinds (EAN, UPC, Code 128, Code 39, "
    "ITF and others), QR codes, DataMatrix, Aztec and PDF417. Anchors are those of the drawn pictures that it learns "
    "from."
)
NETWORKS = (
    Network(
        "yolov3-csppelee-efm-codes", "CSPPeleeNet-EFM (SAM) for codes", 416, Evidence.OURS, NOTE,
        Detector(partial(csp_pelee.backbone, net=CSPPelee()), partial(efm, head=EFM(attention=True, yolo=HEADS))),
        detector=True, names=NAMES, module=__name__,
        keys=Training(TRAIN, KEYS, "To train: ours, for drawn pictures (tools/docs/codes.md)."),
    ),
)  # fmt: skip
