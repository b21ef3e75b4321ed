"""The bars that the project set itself, computed from the plain data of a result."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from statistics import geometric_mean, median
from typing import Any

from darknet_py.backends.precision import BF16, F32

from .networks import EIGHT, OURS

IMPORTER = "OpenCV 4, Darknet importer"
PLAIN = "onnxruntime, plain ONNX"
NUMPY, DARKNET = "darknet-py on NumPy", "Darknet, Debian's"
STAGES = "stages of "
# How many times as fast as float32 int8 has to be, in onnxruntime and in the best back end, and the AP50 it may lose.
EIGHT_BARS = {EIGHT[0]: (2.2, 3.5, 0.005), EIGHT[1]: (None, None, 0.005), EIGHT[2]: (None, 1.2, 0.01)}
VNNI = frozenset({"avx_vnni", "avx512_vnni", "amx_int8"})  # without one of these no processor is that fast in 8 bits
DOMINATED = 0.75  # of the multiplications in 3x3 convolutions

Result = dict[str, Any]


def bars(result: Result) -> list[dict[str, Any]]:
    """Each bar: what is compared, what is wanted, and what was found; `met` is None where nothing was measured."""
    rows = [n for n in result["networks"] if len(n["sides"]) > 1]
    importer = _ratios(rows, OURS, IMPORTER, "detect")
    plain = _ratios(rows, OURS, PLAIN, "network")
    five = _ratios(rows, "darknet-py on OpenCV 5", "OpenCV 5, plain ONNX", "network")
    best = {measure: best_ratios(rows, measure) for measure in ("network", "detect")}
    dense = {
        n["title"]: best_of_peak for n in rows if n["share of 3x3"] >= DOMINATED
        if (best_of_peak := _of_peak(n, OURS))
    }  # fmt: skip
    return [
        _mean("darknet-py (onnxruntime) / OpenCV 4 importer, image to detections", importer, 1.3),
        _least("the same, on every network", importer, 1.0),
        _mean("darknet-py (onnxruntime) / onnxruntime on the plain ONNX, network", plain, 1.15),
        _least("the same, yolov4", {k: v for k, v in plain.items() if k.startswith("yolov4 ")}, 1.6),
        _mean("darknet-py (best back end) / best other side, network", best["network"], 1.05),
        _least("the same, on every network", best["network"], 0.97),
        _mean("darknet-py (best back end) / best other side, image to detections", best["detect"], 1.05),
        _least("the same, on every network of 1 BFLOP and more", _of_size(rows, best["detect"], True), 0.97),
        _least("the same, on every smaller one", _of_size(rows, best["detect"], False), 0.9),
        *_precisions(rows),
        *_eight(result),
        _mean("darknet-py on OpenCV 5 / OpenCV 5 on the plain ONNX, network", five, 1.1),
        _least("part of the SGEMM peak, 3x3-dominated networks", dense, 0.70),
        *_decoding(result),
        *_processes(result),
        *_exports(result),
        _least("NumPy executor / Debian's darknet", _ratios(rows, NUMPY, DARKNET, "network"), 1.5),
        *_growth(result["growth"]),
        *_throughput(result.get("throughput", [])),
        *_around(result.get("around", {})),
    ]  # fmt: skip


def _ratios(rows: Iterable[Result], ours: str, theirs: str, measure: str) -> dict[str, float]:
    """How many times as fast, by network; medians of the ratios of each round."""
    found = {}
    for n in rows:
        ratio = ratio_of(n, ours, theirs, measure)
        if ratio is not None:
            found[n["title"]] = ratio
    return found


def ratio_of(network: Result, ours: str, theirs: str, measure: str) -> float | None:
    """The median over the rounds of how many times as fast `ours` is as `theirs`; None if one was not timed."""
    a, b = (network["sides"].get(name, {}).get(measure) for name in (ours, theirs))
    if not a or not b:
        return None
    return median(y / x for x, y in zip(a["seconds"], b["seconds"], strict=True))


def best_of(network: Result, measure: str, ours: bool, precision: str = F32) -> str | None:
    """The fastest of our back ends, or of the others, at a precision, by the median."""
    timed = {
        name: side[measure]["median"] for name, side in network["sides"].items()
        if measure in side and name.startswith("darknet-py") == ours and side.get("precision", F32) == precision
    }  # fmt: skip
    return min(timed, key=lambda name: timed[name]) if timed else None


def best_ratios(
    rows: Iterable[Result], measure: str, precision: str = F32, beside: str = F32, *, ourselves: bool = False
) -> dict[str, float]:
    """How many times as fast our best back end at a precision is, by network.

    That is than the best of the others at the precision `beside`, or than our own best there.
    """
    found = {}
    for n in rows:
        ours, theirs = best_of(n, measure, True, precision), best_of(n, measure, ourselves, beside)
        ratio = ratio_of(n, ours, theirs, measure) if ours and theirs else None
        if ratio is not None:
            found[n["title"]] = ratio
    return found


def _of_size(rows: Iterable[Result], ratios: dict[str, float], is_large: bool) -> dict[str, float]:
    sizes = {n["title"]: n["gflops"] >= 1 for n in rows}
    return {title: ratio for title, ratio in ratios.items() if sizes[title] == is_large}


def _precisions(rows: Iterable[Result]) -> Iterable[dict[str, Any]]:
    """The bars of bfloat16: the rows are there on every machine, so that those of several stand side by side."""
    rows = list(rows)
    ours = "darknet-py (best back end)"
    same = best_ratios(rows, "network", BF16, BF16)
    yield _mean(f"{ours} / best other side, both in bf16, network", same, 1.0)
    gained = best_ratios(rows, "network", BF16, ourselves=True)
    yield _mean(f"{ours} in bf16 / in f32, network", gained, 2.2)
    best = best_ratios(rows, "detect", BF16)
    yield _mean(f"{ours} in bf16 / best other side in f32, image to detections", best, 2.0)


def _eight(result: Result) -> Iterable[dict[str, Any]]:
    """The bars of int8: its speed where the processor has instructions for it, and its loss, on either half."""
    is_fast = not VNNI.isdisjoint(result["machine"].get("features") or ())
    measured = {one["name"]: one["backends"] for one in result.get("int8", [])}
    yield _mean("darknet-py (best back end) / best other side, both in int8, network", _beside(measured), 1.0)
    for name, (in_first, in_best, loss) in EIGHT_BARS.items():
        found = {title: one for title, one in measured.get(name, {}).items() if not one.get("other")}
        speeds = {backend: one["speed"] for backend, one in found.items()} if is_fast else {}
        best = max(speeds, key=speeds.__getitem__, default="")
        title = f"int8 / f32 of the same back end, with VNNI, {name}"
        if in_first:
            yield _least(f"{title}, onnxruntime", _only(speeds, "onnxruntime"), in_first)
        if in_best:
            yield _least(f"{title}, best back end", _only(speeds, best), in_best)
        lost = {
            f"{backend}, {half} half": -change
            for backend, one in found.items() for half, change in zip(("first", "second"), one["change"], strict=True)
        }  # fmt: skip
        yield _at_most(f"AP50 that int8 loses, {name}", lost, loss)


def _beside(measured: dict[str, Result]) -> dict[str, float]:
    """How many times as fast our best int8 is as the best of other quantizers, turn by turn, by network."""
    found = {}
    for name, backends in measured.items():
        ours, theirs = (
            min((b["seconds"] for b in backends.values() if bool(b.get("other")) == other), key=median, default=None)
            for other in (False, True)
        )
        if ours and theirs:
            found[name] = median(y / x for x, y in zip(ours, theirs, strict=True))
    return found


def _only(found: dict[str, float], name: str) -> dict[str, float]:
    return {name: found[name]} if name in found else {}


def _throughput(measured: Iterable[Result]) -> Iterable[dict[str, Any]]:
    """Ours beside the best of the others, turn by turn; and the wall beside what all stages take of the processors."""
    beside, waste = {}, {}
    for one in measured:
        sides = one["sides"]
        ours = [name for name in sides if name.startswith("darknet-py")]
        theirs = [name for name in sides if name not in ours and not name.startswith(STAGES)]
        if not ours:
            continue
        best = min(ours, key=lambda name: median(sides[name]["seconds"]))
        if theirs:
            other = min(theirs, key=lambda name: median(sides[name]["seconds"]))
            pairs = zip(sides[other]["seconds"], sides[best]["seconds"], strict=True)
            beside[one["title"]] = median(b / a for b, a in pairs)
        for name in ours:
            if stages := sides.get(STAGES + name):
                pairs = zip(sides[name]["seconds"], stages["used"], strict=True)
                key = f"{one['title']} {name.removeprefix('darknet-py ')}"
                waste[key] = median(a / (b / one["threads"]) for a, b in pairs)
    yield _least("many JPEGs to boxes, darknet-py (best back end) / best other side", beside, 1.1)
    yield _most("wall time of that / processor seconds of its stages on one thread, by cores", waste, 1.15)


def _around(found: Result) -> Iterable[dict[str, Any]]:
    resizes = found.get("resizes", {}) if found.get("is exact") else {}
    yield _most("resize / blobFromImage, with OpenCV 5", {k: v["ratio"] for k, v in resizes.items()}, 2.0)
    yield _most("its numbers, off from Darknet's", {k: v["off"] for k, v in resizes.items()}, 1e-6)


def _of_peak(network: Result, side: str) -> float | None:
    found = network["sides"].get(side, {}).get("fraction")
    return float(found["median"]) if found else None


def _decoding(result: Result) -> Iterable[dict[str, Any]]:
    rows = {n["title"]: n["sides"].get(OURS, {}) for n in result["networks"] if n["title"] == "yolov4 (608)"}
    found = {title: side["decode"] for title, side in rows.items() if "decode" in side}
    network = {title: taken / rows[title]["detect"]["median"] for title, taken in found.items()}
    yield _most("decode + NMS, yolov4 at 608, ms", {k: v * 1e3 for k, v in found.items()}, 1.0)
    yield _most("the same as a part of image to detections", network, 0.01)


def _processes(result: Result) -> Iterable[dict[str, Any]]:
    ratios = {p["title"]: p["ratios"][IMPORTER]["median"] for p in result["processes"] if IMPORTER in p["ratios"]}
    yield _mean("whole process, one image / the same job as an OpenCV 4 script", ratios, 1.0)
    yield _least("the same, on every network", ratios, 1.0)


def _exports(result: Result) -> Iterable[dict[str, Any]]:
    exports = [e for e in result["exports"] if e["title"].startswith("yolov4 ") and "why" not in e]
    yield _most(
        "export of yolov4 beyond copying the weights, s", {e["title"]: e["seconds"] - e["copy"] for e in exports}, 2.0
    )
    memory = {e["title"]: e["memory"] / e["weights"] for e in exports}
    yield _most("memory of that export / size of the weights", memory, 2.5)


def _growth(growth: Result) -> Iterable[dict[str, Any]]:
    """Linear is: a unit of much costs no more than a unit of a quarter of it, with room for noise."""
    each = {what: {int(n): taken / int(n) for n, taken in growth.get(what, {}).items()} for what in ("pixels", "batch")}
    for what, taken in each.items():
        sizes = sorted(taken)[1:]  # the first has what costs the same for all
        found = {f"{b} / {a}": taken[b] / taken[a] for a, b in pairwise(sizes)}
        yield _most(f"time by {what}, for one of them", found, 1.2)
    memory = list(growth.get("frames", {}).values())
    found = {"last / first": memory[-1] / memory[0]} if memory and memory[0] else {}
    yield _most("memory over 10,000 frames", found, 1.02)


def _mean(title: str, found: dict[str, float], bar: float) -> dict[str, Any]:
    value = geometric_mean(found.values()) if found else None
    return _bar(f"{title}, geometric mean", f">= {bar:g}", value, value is not None and value >= bar, found)


def _least(title: str, found: dict[str, float], bar: float) -> dict[str, Any]:
    value = min(found.values(), default=None)
    return _bar(title, f">= {bar:g}", value, value is not None and value >= bar, found)


def _most(title: str, found: dict[str, float], bar: float) -> dict[str, Any]:
    value = max(found.values(), default=None)
    return _bar(title, f"< {bar:g}", value, value is not None and value < bar, found)


def _at_most(title: str, found: dict[str, float], bar: float) -> dict[str, Any]:
    value = max(found.values(), default=None)
    return _bar(title, f"<= {bar:g}", value, value is not None and value <= bar, found)


def _bar(title: str, bar: str, value: float | None, met: bool, found: dict[str, float]) -> dict[str, Any]:
    return {"title": title, "bar": bar, "value": value, "met": None if value is None else met, "by network": found}
