"""A training in lines: Darknet's own, as scripts read them, and a table for people."""

from __future__ import annotations

from .events import Event, Finished, Resumed, Saved, Step, Validated

FEW = 10  # classes whose AP is told one by one
HEADING = "iteration      loss   average        rate    size  images/s      left"


def lines_of_darknet(event: Event) -> list[str]:
    """What `detector train` prints of an event (detector.c train_detector, network.c): stdout's lines, without colours.

    >>> step = Step(3, 273.779327, 206.343262, 0.001, 0.077843, 0.0, 24, (416, 416), 2.88)
    >>> lines_of_darknet(step)[-1]
    ' 3: 273.779327, 206.343262 avg loss, 0.001000 rate, 0.077843 seconds, 24 images, 0.000800 hours left'
    """
    if isinstance(event, Step):
        s = event
        numbers = f"{s.loss:f}, {s.average:f} avg loss, {s.rate:f} rate, {s.seconds:f} seconds"
        return [*s.heads, f" {s.iteration}: {numbers}, {s.seen} images, {s.left / 3600:f} hours left"]
    if isinstance(event, Validated) and event.kind == "mAP":
        return [f" mean_average_precision (mAP@0.50) = {event.value:f}"]
    if isinstance(event, Validated):
        return [f" top-1 = {event.value:f}"]
    if isinstance(event, Saved) and event.kind != "state":
        return [f"Saving weights to {event.path}"]
    return []


def table_line(event: Event) -> str | None:
    """A line of a table for people, under `HEADING`; None for what it does not show.

    >>> table_line(Step(3, 27.4, 26.3, 0.001, 0.5, 0.0, 24, (416, 416), 90))
    '        3    27.400    26.300   0.0010000     416      16.0      1:30'
    """
    if isinstance(event, Step):
        height, width = event.size
        size = f"{width}" if width == height else f"{width}x{height}"
        pace = event.seen / event.iteration / event.seconds if event.seconds and event.iteration else 0.0
        return (
            f"{event.iteration:9d} {event.loss:9.3f} {event.average:9.3f} {event.rate:11.7f} {size:>7} "
            f"{pace:9.1f} {duration(event.left):>9}"
        )
    if isinstance(event, Resumed):
        return f"going on after iteration {event.iteration} ({event.path})"
    if isinstance(event, Validated):
        best = "the best so far" if event.value >= event.best else f"best {event.best:.4f}"
        each = f" ({' '.join(f'{ap:.3f}' for ap in event.classes)})" if 1 < len(event.classes) <= FEW else ""
        return f"{event.iteration:9d} {event.kind} {event.value:.4f}{each}, {best}"
    if isinstance(event, Finished):
        why = {"done": "done", "stopped": "stopped"}.get(event.reason, "as many iterations as were asked for")
        return f"{why} after iteration {event.iteration}: {event.path}"
    return None


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss, or m:ss.

    >>> duration(90), duration(7322.4), duration(float("inf"))
    ('1:30', '2:02:02', '?')
    """
    if not 0 <= seconds < 1e9:
        return "?"
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02d}:{s:02d}" if hours else f"{m}:{s:02d}"
