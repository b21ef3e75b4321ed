"""What Prometheus is told, under KServe's names, and what the protocol calls statistics.

Decision: one place is told of every request and every batch, and both reports are read from it, so they agree.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .repository import Repository
from .served import Times

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ROWS = (1, 2, 4, 8, 16, 32)
OTHER = ""  # the model of requests that are for none: a name that a client made up is no label


@dataclass
class _Sum:
    count: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.seconds += seconds

    def to_dict(self) -> dict[str, int]:
        return {"count": self.count, "ns": round(self.seconds * 1e9)}


@dataclass
class _Statistics:
    last: int = 0
    rows: int = 0
    sums: dict[str, _Sum] = field(default_factory=lambda: defaultdict(_Sum))
    batches: dict[int, _Sum] = field(default_factory=lambda: defaultdict(_Sum))


class Metrics:
    """The numbers of a server since it was started."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._statistics: dict[tuple[str, str], _Statistics] = defaultdict(_Statistics)
        self._registry = CollectorRegistry()
        of = {"labelnames": ["model_name"], "registry": self._registry}
        seconds = partial(Histogram, **of, buckets=SECONDS)
        self._count = Counter("request_count", "Requests answered.", ["model_name", "code"], registry=self._registry)
        self._seconds = seconds("request_seconds", "From the head of a request to its answer.")
        self._stages = {
            "prepare": seconds("request_preprocess_seconds", "Decoding and resizing pictures."),
            "network": seconds("request_predict_seconds", "The network, with waiting for it."),
            "boxes": seconds("request_postprocess_seconds", "From outputs to boxes."),
        }
        self._batch = Histogram("batch_size", "Pictures that were computed together.", **of, buckets=ROWS)
        self._queue = Gauge("queue_size", "Pictures that wait or are computed.", **of)

    def request(self, model: str, version: str, code: int, rows: int, seconds: float, times: Times | None) -> None:
        """Count a request; `model` is '' unless there is one of that name."""
        self._count.labels(model, str(code)).inc()
        self._seconds.labels(model).observe(seconds)
        if not model:
            return
        own = self._statistics[model, version]
        own.sums["success" if code == 200 else "fail"].add(seconds)
        if code == 200 and times is not None:
            own.last = int(time.time() * 1000)
            own.rows += rows
            for stage, name in (("prepare", "compute_input"), ("boxes", "compute_output")):
                own.sums[name].add(getattr(times, stage))
            for stage, histogram in self._stages.items():
                histogram.labels(model).observe(getattr(times, stage))

    def batch(self, model: str, version: str, rows: int, waited: float, took: float) -> None:
        """Count a batch of some rows, the seconds that its requests have waited, and those that it took."""
        self._batch.labels(model).observe(rows)
        own = self._statistics[model, version]
        own.sums["queue"].add(waited)
        own.sums["compute_infer"].add(took)
        own.batches[rows].add(took)

    def text(self) -> bytes:
        """Everything as Prometheus reads it."""
        self._queue.clear()  # of models that were unloaded
        for served in self._repository:
            self._queue.labels(served.name).inc(served.queue.admitted)  # of all its versions
        return generate_latest(self._registry)

    def statistics(self, name: str | None = None, version: str | None = None) -> dict[str, Any]:
        """Everything as the protocol's extension for statistics has it, of one model or of all."""
        served = list(self._repository) if name is None else [self._repository.find(name, version)]
        return {"model_stats": [self._of(s.name, s.version) for s in served]}

    def _of(self, name: str, version: str) -> dict[str, Any]:
        own = self._statistics[name, version]
        stages = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit",
                  "cache_miss")  # fmt: skip
        none = _Sum().to_dict()
        return {
            "name": name,
            "version": version,
            "last_inference": own.last,
            "inference_count": own.rows,
            "execution_count": sum(b.count for b in own.batches.values()),
            "inference_stats": {stage: own.sums[stage].to_dict() for stage in stages},
            "batch_stats": [
                {"batch_size": size, "compute_input": none, "compute_infer": own.batches[size].to_dict(),
                 "compute_output": none}
                for size in sorted(own.batches)
            ],
        }  # fmt: skip
