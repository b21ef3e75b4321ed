"""The options of sections that inference does not need, with AlexeyAB's types and defaults.

Decision: they are bases of the layers, not in their bodies, so that a body holds what its layer computes. What only one
section has stands there. `train` marks what training reads; `unused` what Darknet reads for something else: printing,
its tracker, CUDA, or nothing at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ..cfg.options import opt

train = partial(opt, phase="train")
unused = partial(opt, phase="none")


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Training:
    """What AlexeyAB's parser reads for every section (parser.c parse_network_cfg_custom)."""

    learning_rate: float = train(1.0, "factor of the learning rate of [net] for this layer")
    clip: float = train(0.0, "not 0: weights stay between minus and plus this")
    onlyforward: int = train(0, "1: no gradient goes back through this layer")
    stopbackward: int = train(0, "1: layers before this one are not trained; more: not before that iteration")
    dont_update: int = train(0, "iterations during which this layer is not updated")
    burnin_update: int = train(0, "multiples of burn_in during which this layer is not updated")
    train_only_bn: int = train(0, "1: this layer and those before only learn statistics of batch normalization")
    dontloadscales: int = train(0, "1: Darknet reads no scales and statistics for this layer; here they are read")


@dataclass(frozen=True, init=False, repr=False, eq=False)
class BoxTraining:
    """What all heads read (parse_yolo, parse_gaussian_yolo, parse_region, parse_detection)."""

    max_: int = train(200, "boxes of an image that are learned from; 90 in pjreddie's [yolo], 30 in his [region]")
    jitter: float = train(
        0.2, "how far an image is cropped or extended at each side, in parts of its size", usual=(0, 1)
    )
    resize: float = train(1.0, "how far an image is scaled up or down, beyond jitter")
    random: float = train(0.0, "not 0: train at changing input sizes; 1: by up to 1.4, else by up to this")


@dataclass(frozen=True, init=False, repr=False, eq=False)
class YoloTraining(BoxTraining):
    """What [yolo] and [Gaussian_yolo] read."""

    ignore_thresh: float = train(0.5, "IoU with an object above which a box without one is not punished", usual=(0, 1))
    truth_thresh: float = train(
        1.0, "IoU with an object above which a box learns it, although another is the best", usual=(0, 2)
    )
    iou_thresh: float = train(
        1.0, "IoU of an anchor with an object above which it learns it too; 1: the best only", usual=(0, 1)
    )
    iou_thresh_kind: str = train(
        "iou", "which IoU iou_thresh means", choices=("iou", "giou", "diou", "ciou"), fallback="iou"
    )
    iou_loss: str = train("mse", "loss of a box", choices=("mse", "iou", "giou", "diou", "ciou"), fallback="iou")
    iou_normalizer: float = train(0.75, "factor of the gradient of boxes")
    obj_normalizer: float = train(1.0, "factor of the gradient of objectness")
    cls_normalizer: float = train(1.0, "factor of the gradient of the true class; only with counters_per_class")
    delta_normalizer: float = train(1.0, "factor of all gradients of this layer")
    max_delta: float | None = train(None, "what a gradient of a box is limited to; default: without limit")
    objectness_smooth: int = train(0, "1: the objectness of boxes that are near an object learns their IoU")
    label_smooth_eps: float = train(0.0, "how far the wanted scores of classes are from 0 and 1", usual=(0, 1))
    focal_loss: int = train(0, "1: focal loss of classes; [Gaussian_yolo] has none")
    map_: str | None = train(None, "file of class numbers: what the classes of labels stand for")
    show_details: int = unused(1, "what is printed in training; 0: only the average")


@dataclass(frozen=True, init=False, repr=False, eq=False)
class GridTraining(BoxTraining):
    """What [region] and [detection] read."""

    coord_scale: float = train(1.0, "factor of the gradient of boxes")
    object_scale: float = train(1.0, "factor of the gradient of objectness where there is an object")
    noobject_scale: float = train(1.0, "factor of the gradient of objectness where there is none")
    class_scale: float = train(1.0, "factor of the gradient of classes")
    rescore: int = train(0, "1: objectness learns the IoU, not 1")


@dataclass(frozen=True, init=False, repr=False, eq=False)
class NetTraining:
    """What [net] holds for training (parser.c parse_net_options)."""

    batch: int = train(1, "images between two updates")
    subdivisions: int = train(1, "parts in which a batch is computed")
    max_batches: int = train(0, "iterations in all")

    learning_rate: float = train(0.001, "step size")
    learning_rate_min: float = train(0.00001, "least step size, of policy sgdr")
    burn_in: int = train(0, "iterations at the beginning with a growing learning rate")
    power: float = train(4.0, "exponent of burn_in and of the policies poly and random")
    policy: str = train(
        "constant", "how the learning rate changes", fallback="constant",
        choices=("constant", "step", "steps", "exp", "poly", "sigmoid", "random", "sgdr"),
    )  # fmt: skip
    steps: tuple[int, ...] = train((), "iterations at which the learning rate changes", comments=True)
    scales: tuple[float, ...] = train((), "factors of the learning rate at these steps")
    seq_scales: tuple[float, ...] = train((), "factors of the length of sequences at these steps")
    step: int = train(1, "iterations between two changes, or the middle, of the policies step and sigmoid")
    scale: float = train(1.0, "factor of each change of policy step")
    gamma: float = train(1.0, "base of policy exp, slope of policy sigmoid")
    sgdr_cycle: int | None = train(None, "iterations of the first cycle of policy sgdr; default: max_batches")
    sgdr_mult: int = train(2, "factor from each cycle of policy sgdr to the next")

    momentum: float = train(0.9, "how much of the last update goes into the next", usual=(0, 1))
    decay: float = train(0.0001, "how far weights are pulled to 0")
    adam: int = train(0, "1: Adam instead of momentum")
    B1: float = train(0.9, "decay of Adam's mean of gradients")
    B2: float = train(0.999, "decay of Adam's mean of squared gradients")
    eps: float = train(0.000001, "what Adam adds to a divisor; 0.0000001 in pjreddie's Darknet")
    ema_alpha: float = train(0.0, "decay of a running mean of weights, kept from the middle of training; 0: none")
    loss_scale: float = train(1.0, "factor of losses in half precision in Darknet; here it has no effect")
    try_fix_nan: int = train(0, "1: limit gradients to 1, and replace what is no number")
    weights_reject_freq: int = train(0, "iterations between two searches for filters that are alike; not done here")
    equidistant_point: int = train(0, "iteration from which outlying gradients of heads count as 0; 0: never")
    badlabels_rejection_percentage: float = train(0.0, "share of outlying gradients of heads that count as 0")
    num_sigmas_reject_badlabels: float = train(0.0, "standard deviations from which gradients of heads count as 0")
    label_smooth_eps: float = train(0.0, "how far the wanted scores of a classifier are from 0 and 1")

    flip: int = train(1, "1: mirror half of the images")
    angle: float = train(0.0, "how far images are turned, in degrees; classifiers only")
    aspect: float = train(1.0, "how far images are stretched; classifiers only")
    saturation: float = train(1.0, "how far saturation is multiplied or divided")
    exposure: float = train(1.0, "how far brightness is multiplied or divided")
    hue: float = train(0.0, "how far hue is shifted", usual=(-1, 1))
    max_crop: int | None = train(None, "largest side that images are scaled to; default: 2 * width; classifiers only")
    min_crop: int | None = train(None, "least side that images are scaled to; default: width; classifiers only")
    mixup: int = train(0, "1: lay two images over each other in half of the batches")
    cutmix: int = train(0, "1: put a part of one image into another in half of the batches; classifiers only")
    mosaic: int = train(0, "1: put four images together in half of the batches")
    mosaic_bound: int = train(0, "1: cut boxes at the edges of the four images")
    blur: int = train(0, "1: blur what is outside boxes, more: blur the whole image, in some of the images")
    gaussian_noise: int = train(0, "not 0: add noise to half of the images")
    resize_step: float = train(32.0, "multiple that the input sizes of `random` are")
    dynamic_minibatch: int = train(0, "1: larger batches at smaller input sizes")

    track: int = train(0, "1: batches are sequences from a video")
    augment_speed: int = train(2, "largest distance of the frames of a sequence")
    sequential_subdivisions: int | None = train(None, "parts of a sequence; default: subdivisions")
    contrastive: int = train(0, "1: learn from two versions of each image what is alike")
    contrastive_jit_flip: int = train(0, "1: these versions are shifted and mirrored, too")
    contrastive_color: int = train(0, "1: these versions have other colours, too")
    unsupervised: int = train(0, "1: contrastive learning without labels")
    adversarial_lr: float = train(0.0, "step size towards images that deceive the network; 0: none")
    attention: int = train(0, "1: show what such images change")

    max_chart_loss: float = train(20.0, "largest loss in the chart of a training")
    optimized_memory: int = unused(0, "not 0: Darknet shares or moves GPU memory")
    workspace_size_limit_MB: float = unused(1024.0, "memory that cuDNN may take for each layer")  # noqa: N815 - Darknet's
    use_cuda_graph: int = unused(0, "1: Darknet records its GPU calls and plays them back")
    show_receptive_field: float = unused(0.0, "1: Darknet prints what part of the image each layer sees")
