"""Every option that Darknet reads for training, or for nothing that is done here, is known, typed and quiet."""

from __future__ import annotations

import pytest

from darknet_py.darknet.cfg import parse
from darknet_py.darknet.cfg.options import phase_of, read, schema
from darknet_py.darknet.layers import LAYERS
from darknet_py.darknet.layers.net import Net
from darknet_py.errors import Diagnostics

EVERYWHERE = """
    burnin_update clip dont_update dontloadscales learning_rate onlyforward stopbackward train_only_bn
"""
NET = """
    B1 B2 adam adversarial_lr angle aspect attention augment_speed badlabels_rejection_percentage batch blur
    burn_in contrastive contrastive_color contrastive_jit_flip cutmix decay dynamic_minibatch ema_alpha eps
    equidistant_point exposure flip gamma gaussian_noise hue label_smooth_eps learning_rate learning_rate_min
    loss_scale max_batches max_chart_loss max_crop min_crop mixup momentum mosaic mosaic_bound
    num_sigmas_reject_badlabels optimized_memory policy power resize_step saturation scale scales seq_scales
    sequential_subdivisions sgdr_cycle sgdr_mult show_receptive_field step steps subdivisions track try_fix_nan
    unsupervised use_cuda_graph weights_reject_freq workspace_size_limit_MB
"""
# Sections, each with its dialect, and what they have beside.
OWN = {
    "implicit/alexeyab":
        "mean std",
    "route/alexeyab route/pytorch route/pjreddie route2/pytorch route3/pytorch route_lhalf/pytorch":
        "stream wait_stream",
    "sam/pytorch scale_channels/pytorch shift_channels/pytorch control_channels/pytorch select_channels/pytorch "
    "alternate_channels/pytorch":
        "activation",
    "convolutional/alexeyab convolutional/pytorch conv/alexeyab conv/pytorch":
        "angle assisted_excitation binary coordconv dot grad_centr reverse stream wait_stream",
    "convolutional/pjreddie conv/pjreddie":
        "binary dot",
    "conv_lstm/alexeyab conv_lstm/pjreddie conv_lstm/pytorch":
        "lstm_activation shortcut time_normalizer",
    "detection/alexeyab detection/pjreddie detection/pytorch":
        "class_scale coord_scale forced jitter max noobject_scale object_scale random reorg rescore resize",
    "yolo/alexeyab yolo/pjreddie yolo/pytorch":
        "cls_normalizer delta_normalizer dets_for_show dets_for_track embedding_layer focal_loss ignore_thresh "
        "iou_loss iou_normalizer iou_thresh iou_thresh_kind jitter label_smooth_eps map max max_delta "
        "obj_normalizer objectness_smooth random resize show_details sim_thresh track_ciou_norm "
        "track_history_size truth_thresh",
    "Gaussian_yolo/alexeyab Gaussian_yolo/pjreddie Gaussian_yolo/pytorch":
        "cls_normalizer delta_normalizer focal_loss ignore_thresh iou_loss iou_normalizer iou_thresh "
        "iou_thresh_kind jitter label_smooth_eps map max max_delta obj_normalizer objectness_smooth random resize "
        "show_details truth_thresh uc_normalizer",
    "softmax/alexeyab softmax/pjreddie softmax/pytorch soft/alexeyab soft/pjreddie soft/pytorch":
        "noloss",
    "region/alexeyab region/pjreddie region/pytorch":
        "absolute bias_match class_scale coord_scale focal_loss jitter log map mask_scale max noobject_scale "
        "object_scale random rescore resize sqrt thresh",
    "dropout/alexeyab dropout/pjreddie dropout/pytorch":
        "dropblock dropblock_size_abs dropblock_size_rel probability",
    "cost/alexeyab cost/pjreddie cost/pytorch":
        "ratio scale type",
    "contrastive/alexeyab contrastive/pjreddie contrastive/pytorch":
        "classes cls_normalizer contrastive_neg_max max_delta temperature",
    "crop/alexeyab crop/pjreddie crop/pytorch":
        "angle exposure flip saturation shift",
    "maxpool/alexeyab max/alexeyab":
        "maxpool_zero_nonmax",
    "shortcut/pytorch":
        "activation weights_normalization",
}  # fmt: skip

CLASSES = {f"{name}/{dialect}": cls for (name, dialect), cls in LAYERS.items()}
PLACES = [
    ("net", Net, NET),
    *((place, cls, EVERYWHERE) for place, cls in CLASSES.items()),
    *((place, CLASSES[place], keys) for places, keys in OWN.items() for place in places.split()),
]


def test_the_places_are_there() -> None:
    assert len(PLACES) > 100


@pytest.mark.parametrize(("place", "cls", "keys"), PLACES, ids=[f"{p} {keys.split()[0]}" for p, _, keys in PLACES])
def test_they_are_known_and_quiet_whatever_their_value(place: str, cls: type, keys: str) -> None:
    found = Diagnostics(strict=True)
    for value in ("1", "nonsense", "$x", "-1e999", "1 2,,"):
        lines = "".join(f"{key}={value}\n" for key in keys.split())
        read(cls, parse(f"[{place.partition('/')[0]}]\n{lines}").sections[0], found)
    told = [d for d in found.items if d.severity != "note"]  # a share that is no share is worth a note
    assert not [d for d in told if d.code != "DK209"]  # what else the section needs


@pytest.mark.parametrize(("place", "cls", "keys"), PLACES, ids=[f"{p} {keys.split()[0]}" for p, _, keys in PLACES])
def test_they_have_a_phase_a_default_and_a_sentence(place: str, cls: type, keys: str) -> None:
    for key in keys.split():
        field, kind = schema(cls)[key]
        assert phase_of(field) in ("train", "none")
        assert field.metadata["doc"]
        assert not field.metadata["required"]
        types = {"int": int, "float": float, "bool": bool, "str": str, "ints": tuple, "floats": tuple}
        assert (field.default is None and field.type.endswith("| None")) or isinstance(field.default, types[kind])
        if choices := field.metadata["choices"]:
            assert {field.default, field.metadata["fallback"]} <= set(choices)
