"""The word that somebody may have meant: of the same meaning in another program, or spelt alike."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import MAX_WORD

# What users of other programs call Darknet's things: no spelling leads from `sigmoid` to `logistic`. An empty
# tuple: Darknet has nothing like it, and what is spelt alike (prelu, relu) would mislead.
FOREIGN: dict[str, tuple[str, ...]] = {
    "sigmoid": ("logistic",), "none": ("linear",), "identity": ("linear",), "lrelu": ("leaky",),
    "hardtanh": ("hardtan",), "prelu": (), "hardswish": (), "hswish": (), "hard_swish": (), "softplus": (),
    "kernel": ("size",), "kernel_size": ("size",), "ksize": ("size",), "out_channels": ("filters",),
    "output_channels": ("filters",), "bn": ("batch_normalize", "batchnorm"), "use_bn": ("batch_normalize",),
    "batch_norm": ("batch_normalize", "batchnorm"), "batchnorm": ("batch_normalize",), "act": ("activation",),
    "layers": ("from",), "from": ("layers",), "scale_factor": ("stride",), "factor": ("stride",),
    "units": ("output",), "neurons": ("output",), "nc": ("classes",), "num_classes": ("classes",),
    "rate": ("probability",), "dropout": ("probability",), "weight_decay": ("decay",), "lr": ("learning_rate",),
    "conv2d": ("convolutional",), "dense": ("connected",), "linear": ("connected",), "fc": ("connected",),
    "fully_connected": ("connected",), "concat": ("route",), "concatenate": ("route",), "cat": ("route",),
    "add": ("shortcut",), "residual": ("shortcut",), "eltwise": ("shortcut",), "pool": ("maxpool",),
    "max_pool": ("maxpool",), "avg_pool": ("avgpool",), "global_avgpool": ("avgpool",), "gap": ("avgpool",),
    "interpolate": ("upsample",), "resize": ("upsample",), "detect": ("yolo",), "input": ("net",),
}  # fmt: skip


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint naming the known word that has the same meaning elsewhere, or the closest one, or None.

    >>> did_you_mean("batch_normalise", ["batch_normalize", "filters"])
    "did you mean 'batch_normalize'?"
    >>> did_you_mean("kernel_size", ["pad", "size"])
    "did you mean 'size'?"
    """
    from difflib import get_close_matches  # only where something is misspelt

    if len(word) > MAX_WORD:
        return None
    folded = {c.lower(): c for c in sorted(known)}
    meant = FOREIGN.get(word.lower())
    close = get_close_matches(word.lower(), folded, n=1, cutoff=0.65) if meant != () else []
    best = next((w for w in (*(meant or ()), *close) if w in folded), None)
    return f"did you mean '{folded[best]}'?" if best else None
