"""All networks: those of the paper's tables and of the official README, by the name of their cfg."""

from __future__ import annotations

from . import coco, codes, imagenet
from .network import Network

NETWORKS: dict[str, Network] = {n.name: n for n in (*imagenet.NETWORKS, *coco.NETWORKS, *codes.NETWORKS)}
assert len(NETWORKS) == len(imagenet.NETWORKS) + len(coco.NETWORKS) + len(codes.NETWORKS), "two networks share a name"
