"""What other programs and forks call Darknet's options and sections: a hint goes by meaning first, by letters last.

Decision: plain tables. A name is looked up in small letters without '_', '-' and '.'; what only looks like a word that
Darknet knows, and means something else, has an entry of its own that says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from functools import lru_cache

LONGEST = 48  # letters: a longer word is no misspelling

# Options: the names of other programs for each of Darknet's.
_OPTIONS = {
    "size": "kernel kernelsize ksize kernels filtersize windowsize poolsize k kw kh window sizes kernelshape",
    "stride": "strides step steplength subsample scalefactor factor upsamplefactor upscale upscalefactor",
    "filters": "outchannels outputchannels numfilters nfilters filter numoutput numoutputs numkernels features cout "
               "nout channels output outplanes planes outfilters",
    "out_channels": "outchannel outputs maxoutchannels",
    "groups": "group numgroups ngroups numgroup groupnum group_count cardinality",
    "group_id": "groupidx groupindex gid",
    "dilation": "dilate dilations dilationrate dilated atrous atrousrate rate hole dil",
    "padding": "pads paddings padsize zeropad zeropadding padlength",
    "batch_normalize": "bn usebn batchnorm batchnormalization batchnormalise batchnormalisation norm withbn hasbn "
                       "normalize batchnormalized",
    "activation": "act activate activationfunction activationfn actfn nonlinearity actfunc activations acttype",
    "from": "layer layers source src with bottom",
    "layers": "layer from inputs bottom source src concat route",
    "output": "units neurons filters outfeatures numoutput numoutputs outputs hiddensize nodes",
    "classes": "class nc numclasses nclasses nbclasses classnum classescount numclass classnumber ncls",
    "num": "numanchors nanchors anchornum anchorscount numbox boxes anchorcount na numboxes",
    "mask": "masks anchormask anchorids anchorindex",
    "anchors": "anchor biases anchorboxes anchorsizes priors",
    "probability": "rate dropoutrate p dropprob dropoutprob dropout prob dropoutprobability ratio",
    "decay": "weightdecay wd l2 regularization",
    "learning_rate": "lr lr0 baselr initiallr",
    "batch": "batchsize bs",
    "subdivisions": "subdivision minibatch accumulate",
    "max_batches": "maxiter maxiters maxbatch iterations numiterations",
    "burn_in": "warmup warmupsteps burnin",
    "width": "imgw imagewidth inputwidth inputw w netwidth netw",
    "height": "imgh imageheight inputheight inputh h netheight neth",
    "channels": "inchannels inputchannels ch c channel imgchannels",
    "scale_x_y": "scalexy xyscale scalesxy",
    "beta_nms": "betanms beta1nms nmsbeta",
    "nms_kind": "nms nmstype nmskind",
    "ignore_thresh": "ignorethreshold ignorethresh ignoreiou",
    "steps": "milestones lrsteps",
    "scales": "lrscales",
    "hidden": "hiddensize hiddenunits hiddenchannels",
    "maxpool_depth": "maxout depthpool",
    "reverse": "inverse",
    "letter_box": "letterbox letterboxed",
}  # fmt: skip

# Options that nothing here does, though letters lead to one that does something else.
_NO_OPTION = {
    "bias": "a convolution always has biases: they are in the weights file",
    "usebias": "a convolution always has biases: they are in the weights file",
    "negativeslope": "the slope of leaky is always 0.1",
    "slope": "the slope of leaky is always 0.1",
    "epsilon": "what batch normalization adds to the variance goes by the dialect, not by an option",
    "bnepsilon": "what batch normalization adds to the variance goes by the dialect, not by an option",
    "paddingmode": "padding is always with zeros",
    "ceilmode": "a window may hang over the far edge by itself: padding says how far",
    "aligncorners": "upsampling always repeats pixels",
}

_AXIS = re.compile(r"(.+?)(w|h|x|y|width|height|horizontal|vertical|cols?|rows?)|(?:(w|h|x|y|width|height))(.+)")
_BOTH_AXES = ("size", "stride", "padding", "pad", "dilation")
_ACROSS = ("w", "x", "width", "horizontal", "col", "cols")

_BY_NAME: dict[str, list[str]] = {}
for _known, _names in _OPTIONS.items():
    for _name in _names.split():
        _BY_NAME.setdefault(_name.replace("_", ""), []).append(_known)


def option_hint(key: str, known: Collection[str], given: Collection[str] = ()) -> str | None:
    """What an unknown option was meant to be: one of the `known` that is not `given` in the section yet.

    >>> option_hint("stride_w", ["stride", "stride_x", "stride_y"], ["stride"])
    "did you mean 'stride_x'?"
    >>> option_hint("padding_w", ["size", "padding", "pad"])
    "did you mean 'padding'? It holds for both axes"
    >>> option_hint("test_width", ["width", "height"], ["width"])
    """
    if len(key) > LONGEST:
        return None
    name = _bare(key)
    for meant in _meant(name, known):
        return None if meant in given else f"did you mean {meant!r}?"
    axis = _axis_hint(name, known, given)
    if axis is not None:
        return axis or None
    if name in _NO_OPTION:
        return _NO_OPTION[name]
    close = _closest(name, tuple(sorted(k for k in known if k not in given)), 0.65)
    # what looks even more like an option that is there already is no misspelling of another
    taken = _closest(name, tuple(sorted(given)), 0.65)
    if close is None or (taken and _closest(name, tuple(sorted((close, taken))), 0.0) == taken):
        return None
    return f"did you mean {close!r}?"


def _meant(name: str, known: Iterable[str]) -> list[str]:
    """The known options that a name means, the one with the same letters first."""
    same = [k for k in known if _bare(k) == name]
    return [*same, *(k for k in _BY_NAME.get(name, ()) if k in known and k not in same)]


def _axis_hint(name: str, known: Collection[str], given: Collection[str]) -> str | None:
    """For the name of an option with an axis: the option of that axis, or of both; '': it is given, None: no axis."""
    match = _AXIS.fullmatch(name)
    if not match:
        return None
    base, axis = (match[1], match[2]) if match[1] else (match[4], match[3])
    letter = "x" if axis in _ACROSS else "y"
    for meant in _meant(base, known):
        own = f"{meant}_{letter}"
        if own in known:
            return "" if own in given else f"did you mean {own!r}?"
        if meant in _BOTH_AXES:
            if meant in given:
                return f"{meant!r} holds for both axes: there is none for one of them"
            return f"did you mean {meant!r}? It holds for both axes"
    return None


def pair_hint(key: str, down: str, across: str, known: Collection[str]) -> str | None:
    """What to write for two numbers, down first, where an option is one number; None where it has no axes.

    >>> pair_hint("stride", "2", "1", ["stride", "stride_x", "stride_y"])
    'this is one number; for a pair write stride_y=2 and stride_x=1'
    """
    if f"{key}_x" in known and f"{key}_y" in known:
        return f"this is one number; for a pair write {key}_y={down} and {key}_x={across}"
    if key not in _BOTH_AXES:
        return None
    same = f": write {key}={down}" if down == across else ", and there is none for each of them"
    return f"this is one number, for both axes{same}"


# Sections: the names of other programs for each of Darknet's.
_SECTIONS = {
    "convolutional": "conv2d convolution convolution2d convlayer conv1x1 conv3x3 pointwise pointwiseconv convpw "
                     "pointwiseconvolutional basicconv cnn",
    "connected": "dense linear fc fullyconnected innerproduct gemm ip fullconnected mlp",
    "route": "concat concatenate cat merge join concatlayer",
    "shortcut": "add residual eltwise sum plus skip addition res skipconnection elementwise",
    "maxpool": "pool maxpooling pooling maxpool2d mp maxpoolinglayer",
    "avgpool": "gap globalavgpool globalaveragepool globalaveragepooling globalavgpooling adaptiveavgpool "
               "adaptiveavgpool2d globalpool averagepool globalpooling",
    "local_avgpool": "avgpool2d averagepooling avgpooling localaveragepool",
    "upsample": "upsampling interpolate resize nearest upsample2d upsamplenearest nearestupsample unpool "
    "upscale bilinear",
    "deconvolutional": "deconv deconv2d deconvolution convtranspose convtranspose2d transposedconv transposeconv "
                       "transposedconvolution conv2dtranspose convtransposed convolutiontranspose upconv upconvolution "
                       "fractionallystridedconv deconvlayer",
    "batchnorm": "bn batchnorm2d batchnormalization batchnormalize batchnormalise",
    "empty": "identity noop none nop pass passthroughlayer blank",
    "dropout": "drop dropblock dropout2d",
    "softmax": "softmaxloss softmaxlayer",
    "cost": "loss crossentropy costlayer",
    "yolo": "detect yololayer yolov3 yolov4 yolo3 yolo4 yolov3layer yoloplugin yolohead",
    "region": "regionlayer yolov2 yolo2",
    "detection": "yolov1 yolo1",
    "net": "network input data model inputlayer",
    "lrn": "localresponsenormalization localresponsenorm lrnlayer",
    "sam": "spatialattention multiply mul elementwisemul",
    "reorg": "passthrough reorglayer reorgv2",
    "rnn": "recurrent", "lstm": "lstmcell", "gru": "grucell",
}  # fmt: skip
_SECTION_OF = {name: known for known, names in _SECTIONS.items() for name in names.split()}

_ACTIVATIONS = (
    "relu relu6 leaky leakyrelu lrelu mish swish silu sigmoid tanh elu selu gelu logistic linear hardswish hswish "
    "hardsigmoid hsigmoid prelu hardtanh softplus"
).split()
_DARKNETS = {"leakyrelu": "leaky", "lrelu": "leaky", "silu": "swish", "sigmoid": "logistic", "hardtanh": "hardtan",
             "hardsigmoid": "hard_sigmoid", "hsigmoid": "hard_sigmoid"}  # fmt: skip
_NO_ACTIVATION = ("hardswish", "hswish", "prelu", "softplus")

# Sections that are another one with certain options, or several; the first pattern that is found counts.
# {c} are the channels that come in.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (
            r"separable|dsconv|sepconv|convds",
            "a depthwise and a pointwise layer of other programs: write [convolutional] with filters={c} and groups={c}"
            " (the channels that come in), and after it one with size=1",
        ),
        (
            r"depthwise|depthconv|dwconv|convdw|^dw$|^dwise|^convolutionaldw|^dwc",
            "the depthwise layer of other forks: write [convolutional] with filters={c} and groups={c}"
            " (the channels that come in)",
        ),
        (r"deform|^dcn", "a deformable convolution, which no Darknet here computes; [convolutional] is another layer"),
        (r"dilat|atrous", "write [convolutional] with dilation"),
        (r"groupconv|^gconv|convgroup", "write [convolutional] with groups"),
        (r"conv(olutional)?(bn|batchnorm)|^cbl$|^cbr$|^cbm$|^cbs$", "write [convolutional] with batch_normalize=1"),
        (r"^offload", "a part of a network that runs on other hardware: the file does not say which layers it is"),
        (
            r"focus|spacetodepth|^s2d",
            "write [reorg3d] with stride=2; YOLOv5's order of channels is [reorg] with --dialect pytorch",
        ),
        (r"pixelshuffle|depthtospace|^d2s", "write [reorg3d] with reverse=1"),
        (r"shuffle", "channels in another order: no section of Darknet does that"),
        (
            r"^se$|squeeze|^seblock|^selayer|^semodule|^senet",
            "squeeze and excitation: [avgpool], two [convolutional] with size=1, and [scale_channels] with from",
        ),
        (r"^spp|spatialpyramid", "[maxpool] with stride=1 and size 5, 9, 13 of one layer, joined by a [route]"),
        (
            r"^split|^chunk|^slice|^extract|^select$|^crop2d|^routegroup|^grouproute",
            "a part of the channels is [route] with layers, groups and group_id",
        ),
        (r"^flatten|^reshape|^view$|^squeeze", "leave it out: [connected] and [softmax] take images as they are"),
        (
            r"^permute|^transpose|attention|transformer|^eca|^cbam|^mhsa|^nonlocal",
            "no section of Darknet computes this",
        ),
        (r"(layer|instance|group)norm|^prelu|^normalize$|^l2", "no section of this dialect computes this"),
        (
            r"^c3|^c2f|^csp|bottleneck|^elan|^resblock|^darknetblock|^inception|^fire$|^mbconv|^invertedresidual",
            "a block of several layers in other programs: write out its [convolutional], [route] and [shortcut]",
        ),
    )
)


def section_hint(name: str, known: Collection[str], channels: int | None) -> str | None:
    """What an unknown section was meant to be, where `channels` come in; None for what nobody can tell.

    >>> section_hint("depthwise_convolutional", ["convolutional"], 8)
    'the depthwise layer of other forks: write [convolutional] with filters=8 and groups=8 (the channels that come in)'
    >>> section_hint("bn", ["batchnorm", "cost"], None), section_hint("maxpol", ["maxpool"], None)
    ("did you mean 'batchnorm'?", "did you mean 'maxpool'?")
    """
    if len(name) > LONGEST:
        return None
    bare = _bare(name).removeprefix("nn")
    same = next((k for k in sorted(known) if _bare(k) == bare), None) or _SECTION_OF.get(bare)
    if same in known:
        return f"did you mean {same!r}?"
    if same:
        return f"did you mean {same!r}, which is a section of another dialect?"
    if bare in _NO_ACTIVATION:
        return f"no Darknet here computes {name}"
    if bare in _ACTIVATIONS and "activation" in known:
        return f"write [activation] with activation={_DARKNETS.get(bare, bare)}"
    for pattern, text in _PATTERNS:
        if pattern.search(bare):
            return text.replace("{c}", "N" if channels is None else str(channels))
    close = _closest(name.lower(), tuple(sorted(known)), 0.75)
    return f"did you mean {close!r}?" if close else None


@lru_cache(maxsize=4096)
def _closest(word: str, known: tuple[str, ...], cutoff: float) -> str | None:
    folded = {k.lower(): k for k in known}
    best = get_close_matches(word, folded, n=1, cutoff=cutoff)
    return folded[best[0]] if best else None


def _bare(word: str) -> str:
    return re.sub(r"[_.\-\s]", "", word.lower())
