"""Other programs' words, and what each is called here: Darknet's, ultralytics' and yolov5's, mmdetection's.

Decision: one table for options and one for commands, read only when something is not understood, or looks like one of
Darknet's options with a single dash: click would take `-out result.json` for `-o ut`. A word that a command has itself
means what the command says.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

WEIGHTS = ".weights"


class ForeignOption(NamedTuple):
    """Spellings of an option elsewhere; `here` is the option of this program, or '' where there is none, and why."""

    said: tuple[str, ...]
    here: str
    how: str


# Spellings without dashes; an underscore stands for a dash as well, and one dash for two.
OPTIONS: tuple[ForeignOption, ...] = (
    ForeignOption(
        ("width", "height", "imgsz", "img", "img_size", "image_size", "input_size", "imgsize", "shape", "resolution"),
        "--size", "416, or WIDTHxHEIGHT, as 608x352",
    ),
    ForeignOption(
        ("thresh", "threshold", "conf_thres", "conf_thresh", "conf_threshold", "confidence", "score_thr", "score",
         "score_threshold", "pred_score_thr", "confidence_threshold", "thr", "conf"),
        "--conf", "the lowest probability that counts, 0 to 1",
    ),
    ForeignOption(
        ("iou_thres", "iou_thresh", "iou_threshold", "nms_thres", "nms_thresh", "nms_threshold", "nms_iou", "iou"),
        "--iou", "the overlap that suppresses, 0 to 1",
    ),
    ForeignOption(
        ("source", "image", "images", "input", "inputs", "img_path", "image_path", "filename", "video", "picture"),
        "", "the pictures come after the cfg, without an option: darknet-py run my.cfg photos/",
    ),
    ForeignOption(
        ("cfg", "config", "model", "model_cfg", "cfg_file", "c", "arch"),
        "", "the cfg is the first argument, without an option: darknet-py run my.cfg dog.jpg",
    ),
    ForeignOption(("w", "weight", "weights", "checkpoint", "ckpt", "pretrained"), "--weights", "the .weights file"),
    ForeignOption(("data", "class_names", "classes_file", "labels", "names"), "--names", "a .names or .data file"),
    ForeignOption(
        ("engine", "runtime"),
        "--backend", "which runtime computes: onnxruntime, opencv, …, or auto",
    ),
    ForeignOption(
        ("gpu", "gpus", "cpu", "cuda", "i", "nogpu", "use_gpu"),
        "--device", "where it computes: cpu, cuda:0, openvino:GPU, …; `run` and `eval` have it",
    ),
    ForeignOption(
        ("project", "name", "save_dir", "out_dir", "output_dir", "outdir", "out_filename", "out_file", "prefix",
         "show_dir", "exist_ok"),
        "--output", "where drawn pictures, or the exported file, are written",
    ),
    ForeignOption(
        ("out",),
        "--output", "the folder of drawn pictures, or the exported file; Darknet's JSON is `--json > result.json`",
    ),
    ForeignOption(("save_json", "json_port", "json_file_output"), "--json", "what is found, as JSON on stdout"),
    ForeignOption(("nosave", "dontdraw_bbox"), "--no-save", "no drawn pictures"),
    ForeignOption(("save_labels", "save_label"), "--save-txt", "YOLO label files, in labels/ of the output folder"),
    ForeignOption(("letter_box", "letterbox", "rect"), "--letterbox", "pictures are padded, not stretched"),
    ForeignOption(("batch_size", "bs", "b", "batch"), "--batch", "how many pictures are computed at a time"),
    ForeignOption(("num_workers", "threads_io"), "--workers", "threads that read pictures and decode boxes"),
    ForeignOption(("include", "target"), "--format", "what `export` writes"),
    ForeignOption(("fp16", "half"), "--half", "`export` stores and computes in float16"),
    ForeignOption(("quantize", "quant", "calib_images"), "--int8", "`export` in 8 bits, calibrated on pictures"),
    ForeignOption(("nms", "end2end", "topk_all"), "--boxes", "`export --boxes nms` ends in what suppression leaves"),
    ForeignOption(("v", "debug", "log_level"), "--verbose", "more of what was done"),
    ForeignOption(("iterations", "runs", "repeat"), "--rounds", "how often `bench` times each back end"),
    ForeignOption(("benchmark_layers",), "--layers", "`darknet-py bench --layers` times every layer"),
    ForeignOption(
        ("dont_show", "show", "view_img", "no_show", "nosave_window", "visualize"),
        "", "no window is opened: drawn pictures are files, in the folder of --output; leave it out",
    ),
    ForeignOption(("ext_output", "show_boxes"), "", "`run` always prints the boxes; leave it out"),
    ForeignOption(("hier",), "", "only `darknet-py detector test` takes it"),
    ForeignOption(("class", "filter_class", "filter_classes"), "--classes", "the classes that are wanted: person,car"),
    ForeignOption(("agnostic_nms", "class_agnostic"), "--agnostic", "a box suppresses those of other classes too"),
    ForeignOption(("max_dets", "max_detections", "topk", "max_per_img"), "--max-det", "the most objects of a picture"),
    ForeignOption(("tracker", "track_thresh", "persist"), "--track", "objects get ids; it has no options of its own"),
    ForeignOption(("save_crops",), "--save-crop", "each object as a picture, in crops/ of the output folder"),
    ForeignOption(
        ("augment", "line_thickness", "hide_labels", "hide_conf"),
        "", "there is no such option; `model(...)` in Python gives the boxes, to be picked and drawn from",
    ),
    ForeignOption(("opset", "simplify", "dynamic"), "", "exported files are simple and take any batch already"),
    ForeignOption(("epochs", "max_epochs", "num_epochs"), "--max-batches", "iterations, of `batch` pictures each"),
    ForeignOption(("lr", "lr0", "learning_rate"), "", "learning_rate= in [net] of the cfg is the learning rate"),
    ForeignOption(("resume",), "", "the same `train` command goes on where it was stopped"),
    ForeignOption(("patience", "warmup_epochs", "freeze_layers"), "", "an option of training that is not here"),
    ForeignOption(("clear", "map"), "", "an option of `train`"),
    ForeignOption(("c_index", "avgframes", "mjpeg_port", "vid_stride", "stream"), "", "an option for videos"),
)  # fmt: skip


class ForeignCommand(NamedTuple):
    """A command elsewhere: the one `here` that does it, or '' where none does, and in words what to do."""

    said: tuple[str, ...]
    here: str
    how: str


PREDICT, TRAIN, EVALUATE, VIDEO = (
    "darknet-py run CFG PICTURE...",
    "darknet-py train DATA CFG [WEIGHTS]",
    "darknet-py eval DATA CFG [WEIGHTS]",
    "darknet-py run CFG VIDEO: a file, an address as rtsp://…, or 0 for the first camera",
)  # fmt: skip

COMMANDS: tuple[ForeignCommand, ...] = (
    ForeignCommand(
        ("predict", "detect.py", "infer", "inference", "detect_image", "image_demo.py", "detector_demo", "mode=predict",
         "task=detect", "yolo", "darknet", "darknet.py", "darknet_images.py", "classify.py"),
        "run", PREDICT,
    ),
    ForeignCommand(("test",), "run", f"{PREDICT}; Darknet's own: darknet-py detector test DATA CFG WEIGHTS PICTURE"),
    ForeignCommand(("export.py", "convert", "to_onnx", "onnx", "mode=export", "deploy.py", "quantize"),
            "export", "darknet-py export CFG -o NET.onnx"),
    ForeignCommand(("info", "print", "visualize.py", "get_flops.py", "ops", "flops", "model-info"),
            "summary", "darknet-py summary CFG [--costs]"),
    ForeignCommand(("inspect", "weights-info"), "weights",
            "darknet-py weights inspect CFG WEIGHTS; `summary CFG` lists layers"),
    ForeignCommand(("visualize", "draw", "netron", "show"), "graph", "darknet-py graph CFG -o NET.svg"),
    ForeignCommand(("benchmark", "speed", "mode=benchmark", "benchmark.py", "time"), "bench", "darknet-py bench CFG"),
    ForeignCommand(("validate", "checks"), "lint", "darknet-py lint CFG"),
    ForeignCommand(("list", "zoo", "ls", "list_models"), "models", "darknet-py models"),
    ForeignCommand(("fetch", "get", "pull"), "download", "darknet-py download NAME"),
    ForeignCommand(("compare",), "diff", "darknet-py diff CFG CFG compares networks, and `verify CFG` runtimes"),
    ForeignCommand(("help",), "--help", "darknet-py --help, or darknet-py COMMAND --help"),
    ForeignCommand(("version",), "--version", "darknet-py --version"),
    ForeignCommand(("train.py", "mode=train", "fit", "finetune"), "train", TRAIN),
    ForeignCommand(("val", "val.py", "test.py", "evaluate", "mode=val", "map", "mAP"), "eval", EVALUATE),
    ForeignCommand(("demo", "track", "video", "camera", "webcam", "stream", "mode=track"), "run", VIDEO),
    ForeignCommand(
        ("average", "rgbgr", "reset", "normalize", "denormalize", "rescale", "statistics", "oneoff"),
        "", "Darknet's command that rewrites weights: `darknet_py.read_weights` and `write_weights` do it in Python",
    ),
    ForeignCommand(
        ("rnn", "char-rnn", "go", "art", "nightmare", "tag", "vid", "voxel", "super", "writing", "captcha", "dice",
         "3d", "cifar", "coco", "imtest"),
        "", "one of Darknet's experiments, which is not here",
    ),
)  # fmt: skip

# What Darknet's groups have and ours have not; whoever adds a command takes its line out.
GROUPS: dict[str, dict[str, str]] = {
    "detector": {
        "recall": "use `darknet-py eval`, which gives the recall of each class",
        "demo": VIDEO,
        "draw": VIDEO,
    },
    "classifier": {
        **dict.fromkeys(("validmulti", "valid10", "validcrop", "validfull"), "use `darknet-py classifier valid`"),
        "demo": VIDEO,
        "test": "use `darknet-py run CFG PICTURES --json`",
        "try": "use `darknet-py dump`, which writes the output of every layer",
        "label": "use `darknet-py classifier predict`",
        "gun": "one of Darknet's experiments, which is not here",
        "threat": "one of Darknet's experiments, which is not here",
    },
}


def check_options(command: click.Command, args: Sequence[str]) -> None:
    """Raise `UsageError` for the first of `args` that is another program's option, with what it is called here.

    It may be of another command too, as weights are: an option of some, an argument of others.
    """
    command = _leaf(command, args)
    own = {spelling for p in command.params for spelling in (*p.opts, *p.secondary_opts) if spelling.startswith("-")}
    if "--help" in args or "-h" in args:
        return
    before = ""
    for arg in args:
        if arg == "--":
            return
        word, equals, _ = arg.partition("=")
        if arg.endswith(WEIGHTS) and "--weights" in own and before and not before.startswith("-"):
            said = f"{arg!r} is no argument of {command.name!r}: weights are an option there, -w {shlex.quote(arg)}"
            raise click.UsageError(said, click.Context(command, info_name=f"darknet-py {command.name}"))
        pair = bool(equals) and not arg.startswith("-") and not before.startswith("-") and not Path(arg).exists()
        before = arg
        if word in own or not (arg.startswith("-") or pair):
            continue
        if answer := _answer(word, arg, command, own) or _misspelt(word, own):  # conf=0.3 is ultralytics'
            raise click.UsageError(answer, click.Context(command, info_name=f"darknet-py {command.name}"))


def _misspelt(word: str, own: set[str]) -> str | None:
    """What to say to a word with one dash, where others have one: click would read its letters one by one."""
    if not re.fullmatch(r"-[A-Za-z]\w+", word) or not any(re.fullmatch(r"-[a-z]\w+", known) for known in own):
        return None
    from ..spelling import did_you_mean

    return f"no option {word!r}; {did_you_mean(word, own) or 'options are ' + ', '.join(sorted(own))}"


def _answer(word: str, arg: str, command: click.Command, own: set[str]) -> str | None:
    found = find_option(word.lstrip("-").replace("-", "_").lower())
    if found is None:
        return None
    what = f"{command.name!r} has no option {word!r}" if arg.startswith("-") else f"options are not written as {arg!r}"
    if not found.here:
        return f"{what}: {found.how}"
    if found.here in own:
        return f"{what}: it is {found.here} here ({found.how})"
    if found.here == "--weights" and any(isinstance(p, click.Argument) and p.name == "weights" for p in command.params):
        return f"{what}: the .weights file comes after CFG, without an option"
    having = ", ".join(f"`{name}`" for name in commands_with(found.here))
    meant = f" ({found.how})" if found.here == word else f": it would be {found.here} ({found.how})"
    return f"{what}{meant}, which is one of {having}"


def find_option(word: str) -> ForeignOption | None:
    """The entry of an option by its word without dashes, underscores for those inside; None for a word of nobody's.

    >>> find_option("imgsz").here
    '--size'
    """
    return next((option for option in OPTIONS if word in option.said), None)


def explain_command(args: Sequence[str], names: Sequence[str]) -> str | None:
    """What to say to a command line that begins with another program's command; None if it is nobody's.

    >>> print(explain_command(["predict", "model=net.cfg", "source=dog.jpg", "conf=0.3"], ["run"]))
    'predict' is 'run' here: darknet-py run net.cfg dog.jpg --conf 0.3
    """
    word = args[0]
    pairs = _pairs(args)
    entry = next((c for c in COMMANDS if Path(word).name in c.said or f"mode={word}" in c.said), None)
    if entry is None and pairs:
        entry = next((c for c in COMMANDS if f"mode={pairs.get('mode', 'predict')}" in c.said), None)
    if entry is None:
        return _file_first(args, names)
    if Path(word).name in ("yolo", "darknet") and len(args) > 1 and args[1] in names:
        return f"leave out {word!r}: darknet-py {shlex.join(args[1:])}"
    if not entry.here:
        return f"there is no {word!r} here: {entry.how}"
    whole = _translated(pairs) if entry.here == "run" and {"model", "source"} <= pairs.keys() else entry.how
    return f"{word!r} is {entry.here!r} here: {whole}"


def _file_first(args: Sequence[str], names: Sequence[str]) -> str | None:
    """A file where the command belongs."""
    from ..zoo.find import EXPORTED

    suffix = Path(args[0]).suffix.lower()
    if suffix in (".cfg", ".weights", *EXPORTED):
        return f"the command comes first: darknet-py run {shlex.join(args)}; commands are {', '.join(names)}"
    return None


def _pairs(args: Sequence[str]) -> dict[str, str]:
    """The arguments of the form key=value."""
    split = (arg.partition("=") for arg in args if not arg.startswith("-"))
    return {key: value for key, equals, value in split if equals and key.isidentifier()}


def _translated(pairs: dict[str, str]) -> str:
    """ultralytics' key=value as a command line of this program."""
    words = ["darknet-py", "run", pairs["model"], pairs["source"]]
    for key, value in pairs.items():
        option = find_option(key)
        if option and option.here in ("--conf", "--iou", "--size", "--batch"):
            words += [option.here, value]
    return shlex.join(words)


def commands_with(option: str) -> list[str]:
    """The commands that have an option; each is imported for that, which an error may cost."""
    return [name for name, command in _leaves() if any(option in (*p.opts, *p.secondary_opts) for p in command.params)]


def _leaves() -> Iterator[tuple[str, click.Command]]:
    from . import registry

    for entry in registry.list_commands():
        if entry.section == registry.UNUSABLE or not entry.module.startswith(registry.PACKAGE.name):
            continue  # other people's
        command = registry.load_command(entry)
        if isinstance(command, click.Group):
            yield from ((f"{entry.name} {name}", inner) for name, inner in command.commands.items())
        else:
            yield entry.name, command


def _leaf(command: click.Command, args: Sequence[str]) -> click.Command:
    """The command below a group that `args` name."""
    if isinstance(command, click.Group) and args and args[0] in command.commands:
        return command.commands[args[0]]
    return command


def explain_group(group: str, word: str) -> str | None:
    """What to say to `darknet-py GROUP WORD` where there is no such command; None for a word of nobody's.

    >>> explain_group("classifier", "label")
    "there is no 'classifier label' here: use `darknet-py classifier predict`"
    """
    how = GROUPS.get(group, {}).get(word)
    return f"there is no {f'{group} {word}'!r} here: {how}" if how else None
