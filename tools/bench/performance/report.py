"""The Markdown of the performance benchmark, from its plain data."""

from __future__ import annotations

from statistics import median
from typing import Any

from darknet_py.apps.bench.report import format_peaks
from darknet_py.backends.precision import F32
from tools.markdown import table

from .machines import ceilings_told, slug, told
from .networks import OURS

MEGA = 1 << 20
Result = dict[str, Any]


def markdown(result: Result) -> str:
    """All of RESULTS.md."""
    networks = map(_network, result["networks"])
    around = (
        _eight(result.get("int8", [])),
        *map(_throughput, result.get("throughput", [])), _around(result.get("around", {})), _processes(result),
        _exports(result), _growth(result["growth"]),
    )  # fmt: skip
    parts = [_head(result), _bars(result), *networks, *around]
    return "\n\n".join(p for p in parts if p) + "\n"


def _head(result: Result) -> str:
    m = result["machine"]
    missing = "".join(f"\n- Not measured: {title}: {why}" for title, why in result["missing"].items())
    return f"""\
# Performance on this machine

Written by `python -m tools.bench.performance --write` (`make bench`); as JSON: `{slug(m)}.json`. Of all machines:
[RESULTS.md](../RESULTS.md).

- {told(m)}; {m["threads"]} threads for every contestant; the last run took {m["seconds"]} seconds;
  load average {m["load before"]:.1f} before and {m["load after"]:.1f} after.{_ceilings(result)}
- One image at a time, in float32 unless another precision is named, every contestant in its own process; all are open
  at once and take turns.
- Outputs are compared with those of the NumPy executor before anything is timed, as a part of the largest number. Who
  computes something else, crashes or cannot be installed has a row that says so.
- Times are medians over the rounds, with quartiles; ratios are taken inside a round. `speed` is that of the network
  alone beside darknet-py on onnxruntime, higher is faster. `of peak` counts two operations for each multiplication,
  as if there were no Winograd, beside the faster SGEMM (NumPy or onnxruntime) of the same round.
- darknet-py's network ends before the elementwise functions of its heads, which decoding applies to what it keeps;
  the image counts for both. On onnxruntime it is opened from its cache, as others are from what was converted.
- `image` goes from the pixels of a photo to boxes after suppression (threshold 0.25, overlap 0.45), or to classes.
  OpenCV's importer decodes inside its network.
- The plain ONNX is what a converter writes layer by layer: batch normalization by itself, and
  `x * tanh(softplus(x))`.{missing}"""


def _ceilings(result: Result) -> str:
    text = ceilings_told(result)
    return f"\n- {text}. Whole networks gain about as much at most." if text else ""


def _bars(result: Result) -> str:
    rows = [
        [b["title"], b["bar"], "" if b["value"] is None else f"{b['value']:.3g}", _MET[b["met"]], _worst(b)]
        for b in result["bars"]
    ]
    return "## Bars\n\n" + table(["what", "bar", "here", "met", "lowest first"], rows)


_MET = {None: "not measured", True: "yes", False: "**no**"}


def _worst(bar: Result) -> str:
    found = sorted(bar["by network"].items(), key=lambda item: item[1])
    return ", ".join(f"{title} {value:.3g}" for title, value in found)


def _network(network: Result) -> str:
    base, peaks = network["sides"].get(OURS, {}).get("network"), format_peaks(network["peaks"])
    rows = [_side(name, side, base, network["gflops"]) for name, side in network["sides"].items()]
    rows.sort(key=lambda row: row[0])
    head = [
        "contestant", "precision", "network, ms", "speed", "GFLOP/s", "of peak", "image, ms", "boxes", "MB", "off by",
    ]  # fmt: skip
    text = (
        f"## {network['title']}\n\n{network['gflops']:.2f} GFLOP, {network['share of 3x3']:.0%} in 3x3 convolutions; "
        f"{network['weights']} weights; {network['rounds']} rounds; {peaks}.\n\n{table(head, [r[1] for r in rows])}"
    )
    if not network["layers"]:
        return text
    return f"{text}\n\nWhere darknet-py on onnxruntime loses time:\n\n```\n{network['layers']}\n```"


def _side(name: str, side: Result, base: Result | None, gflops: float) -> tuple[float, list[str]]:
    """A sort key and a row."""
    version = side.get("version", "")
    title = f"{name} ({version})" if version else name
    if "network" not in side:
        return float("inf"), [title, "", f"not timed: {side.get('why', '')}", *[""] * 7]
    own = side["network"]
    speed = median([b / a for a, b in zip(own["seconds"], base["seconds"], strict=True)]) if base else 1.0
    fraction = side.get("fraction")
    image = _milliseconds(side["detect"]) if "detect" in side else side.get("why", "")
    return own["median"], [
        title, side.get("precision", F32), _milliseconds(own), f"{speed:.2f}", f"{gflops / own['median']:.0f}",
        f"{fraction['median']:.0%}" if fraction else "", image, str(side.get("found", "")),
        f"{side.get('memory', 0) / MEGA:.0f}", f"{side['difference']:.0e}",
    ]  # fmt: skip


def _eight(measured: list[Result]) -> str:
    """8 bits beside float32."""
    if not measured:
        return ""
    rows = [
        [
            one["name"], title, f"{found['speed']:.2f}", f"{median(found['seconds']) * 1e3:.2f}",
            str(found.get("in float32", "")),
            " / ".join(f"{change:+.4f}" for change in found["change"]), " / ".join(f"{b:.4f}" for b in one["AP50"]),
        ]
        for one in measured for title, found in one["backends"].items()
    ]  # fmt: skip
    failed = "".join(f"\n\n{one['name']}: {one['why']}" for one in measured if "why" in one)
    text = (
        "Each back end beside itself in float32, the network alone, in processor seconds of one thread. COCO's AP50 is "
        "that of one half of the labelled photos, int8 calibrated on the other half, and the halves swapped. Other "
        "quantizers work on the plain ONNX, with the same pictures."
    )
    head = ["network", "back end", "speed", "ms", "layers in float32", "AP50", "AP50 in float32"]
    return f"## int8\n\n{text}\n\n{table(head, rows)}{failed}"


def _throughput(one: Result) -> str:
    """Many pictures, from files to boxes."""
    rows = [
        [
            name, f"{1 / median(side['seconds']):.1f}", f"{median(side['seconds']) * 1e3:.2f}",
            f"{median(side['used']) * 1e3:.2f}", f"{side['found']:,}",
        ]
        for name, side in sorted(one["sides"].items(), key=lambda item: median(item[1]["seconds"]))
    ]  # fmt: skip
    failed = "".join(f"\n\n{name}: {why}" for name, why in one["failed"].items())
    turns = max((len(side["seconds"]) for side in one["sides"].values()), default=0)
    text = (
        f"{one['pictures']:,} JPEGs from files to boxes in {turns} turns; `processor` is of the contestant's own "
        "process (a pool computes in others), and `stages` is ours on one thread, one thing after the other."
    )
    head = ["contestant", "pictures a second", "wall, ms", "processor, ms", "boxes"]
    return f"## Many pictures, {one['title']}\n\n{text}\n\n{table(head, rows)}{failed}"


def _around(found: Result) -> str:
    if "resizes" not in found:
        return ""
    resizes = [
        [title, f"{one['ratio']:.2f}", f"{one['wall']:.2f}", f"{one['off']:.1e}"]
        for title, one in found["resizes"].items()
    ]  # fmt: skip
    imports = found["imports"]
    parts = [
        [name, f"{ms:.1f}"] for kind in ("packages", "modules") for name, ms in imports[kind].items()
    ]  # fmt: skip
    return (
        "## Around the network\n\nThe resize as a part of `blobFromImage`'s, in processor seconds of one thread and in "
        "wall time with OpenCV's threads; and how far its numbers are from Darknet's.\n\n"
        f"{table(['photo', 'one thread', 'wall', 'off by'], resizes)}\n\nWhat "
        f"`darknet-py run` imports for one picture, {imports['count']} modules of ours among it: the least of several "
        f"starts.\n\n{table(['package, or module of ours', 'ms'], parts)}"
    )


def _processes(result: Result) -> str:
    if not result["processes"]:
        return ""
    rows = [
        [p["title"], name, f"{p['first'][name]:.2f}", _seconds(seconds), _ratio(p["ratios"].get(name))]
        for p in result["processes"] for name, seconds in p["seconds"].items()
    ]  # fmt: skip
    failed = "".join(f"\n\n{p['title']}, {n}: {why}" for p in result["processes"] for n, why in p["failed"].items())
    text = "From the shell to the result for one photo; `speed` is how many times as fast darknet-py is."
    return (
        f"## Whole process\n\n{text}\n\n{table(['network', 'command', 'first, s', 'later, s', 'speed'], rows)}{failed}"
    )


def _exports(result: Result) -> str:
    done = [e for e in result["exports"] if "why" not in e]
    if not done:
        return ""
    rows = [
        [
            e["title"], f"{e['weights'] / MEGA:.1f}", f"{e['seconds']:.2f}", f"{e['copy']:.2f}",
            f"{e['memory'] / MEGA:.0f}", f"{e['before'] / MEGA:.0f}",
        ]
        for e in done
    ]  # fmt: skip
    head = ["network", "weights, MB", "export, s", "copy of the weights, s", "memory, MB", "of it before, MB"]
    return "## Export\n\n" + table(head, rows)


def _growth(growth: Result) -> str:
    if "pixels" not in growth:
        return ""
    each = [
        [what, f"{int(n):,}", f"{taken * 1e3:.2f}", f"{taken / int(n) * unit:.3g} {name}"]
        for what, unit, name in (("pixels", 1e9, "ns"), ("batch", 1e3, "ms"))
        for n, taken in growth[what].items()
    ]
    memory = [[f"{int(n):,}", f"{size / MEGA:.1f}"] for n, size in growth["frames"].items()]
    return (
        "## Growth\n\nA network of three layers, from pixels to boxes; then thousands of different frames, in batches "
        "of four, with two workers.\n\n"
        f"{table(['by', 'how many', 'ms', 'for one'], each)}\n\n{table(['frames', 'memory, MB'], memory)}"
    )


def _milliseconds(s: Result) -> str:
    return f"{s['median'] * 1e3:.1f} ({s['low'] * 1e3:.1f} to {s['high'] * 1e3:.1f})"


def _seconds(s: Result) -> str:
    return f"{s['median']:.2f} ({s['low']:.2f} to {s['high']:.2f})"


def _ratio(s: Result | None) -> str:
    return f"{s['median']:.2f} ({s['low']:.2f} to {s['high']:.2f})" if s else ""
