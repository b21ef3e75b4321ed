"""Which of the objects in a picture are wanted: of which classes, from which probability on, and how many.

Decision: classes and thresholds count before suppression, where Darknet's `-thresh` does (get_network_boxes, then
do_nms_sort), and the number after it. Class by class the order changes nothing, because what is less sure never
suppresses what is surer. Over all classes it does: a class that is not wanted must not suppress one that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import MAX_WORD, DataError, shorten
from ..spelling import did_you_mean
from .thresholds import CONF

ClassName = str | int
Conf = float | Mapping[ClassName | None, float]  # None: all other classes
SHOWN = 12  # names in a message


@dataclass(frozen=True)
class Selection:
    """`classes` are the numbers of those wanted (None: all), `thresholds` (class, probability) of some of them.

    At most `max_det` objects of a picture, the surest of all classes; `agnostic` suppresses over classes.
    """

    classes: tuple[int, ...] | None = None
    thresholds: tuple[tuple[int, float], ...] = ()
    max_det: int | None = None
    agnostic: bool = False

    @property
    def takes_all(self) -> bool:
        """Whether all classes are wanted, from one threshold on."""
        return self.classes is None and not self.thresholds

    def limits(self, count: int, threshold: float) -> np.ndarray:
        """What the probability of each of `count` classes must exceed, (count,) float64; infinity: it is not wanted.

        >>> Selection(classes=(0, 2), thresholds=((2, 0.5),)).limits(3, 0.25).tolist()
        [0.25, inf, 0.5]
        """
        limits = np.full(count, threshold, float)
        for number, least in self.thresholds:
            limits[number] = least
        if self.classes is not None:
            limits[np.setdiff1d(np.arange(count), self.classes)] = np.inf
        return limits

    def without(self, hidden: Iterable[int], count: int) -> Selection:
        """The same without some of `count` classes, unless it says itself which are wanted."""
        out = set(hidden)
        if not out or self.classes is not None:
            return self
        return replace(self, classes=tuple(c for c in range(count) if c not in out))


ALL = Selection()


def select(
    names: Sequence[str],
    count: int,
    *,
    conf: Conf | None = None,
    default: float = CONF,
    classes: ClassName | Iterable[ClassName] | None = None,
    max_det: int | None = None,
    agnostic: bool = False,
) -> tuple[float, Selection]:
    """The threshold of all classes that have none of their own, and what is wanted of `count` classes.

    `conf` is a threshold, or one for each of some classes ({'person': 0.5}; the key None is all others); where it says
    nothing, `default` counts. Classes are names or numbers. Raises `DataError` for a class that there is not, and for
    thresholds that are no probabilities.

    >>> select(("person", "car"), 2, conf={"car": 0.5}, classes=["car", 0])
    (0.25, Selection(classes=(0, 1), thresholds=((1, 0.5),), max_det=None, agnostic=False))
    """
    own: dict[ClassName | None, float] = dict(conf) if isinstance(conf, Mapping) else {}
    if isinstance(conf, float | int):
        own[None] = conf
    for least in own.values():
        if not 0 <= least <= 1:
            raise DataError(f"conf is between 0 and 1, not {least}")
    if max_det is not None and max_det < 1:
        raise DataError(f"max_det is at least 1, not {max_det}")
    threshold = own.pop(None, default)
    least_of = {n: least for c, least in own.items() if c is not None for n in class_numbers(c, names, count)}
    if classes is None:
        return threshold, Selection(None, tuple(least_of.items()), max_det, agnostic)
    several = [classes] if isinstance(classes, str | int) else classes
    wanted = {n for c in several for n in class_numbers(c, names, count)}
    return threshold, Selection(tuple(sorted(wanted)), tuple(least_of.items()), max_det, agnostic)


def conf_of(text: str) -> Conf:
    """Thresholds in a text: `0.4`, `person=0.5,car=0.3`, or both. Raises `DataError` for what is none.

    >>> conf_of("0.4"), conf_of("car=0.3, 0.5")
    (0.4, {'car': 0.3, None: 0.5})
    """
    found: dict[ClassName | None, float] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, number = part.rpartition("=")
        try:
            least = float(number)
        except ValueError:
            raise DataError(
                f"{shorten(repr(part), MAX_WORD)} is no threshold: write 0.4, or person=0.5,car=0.3"
            ) from None
        if not 0 <= least <= 1:
            raise DataError(f"{shorten(number.strip(), MAX_WORD)} is not between 0 and 1")
        key = name.strip() if equals else None
        if key in found:
            raise DataError(f"two thresholds for {shorten(key or 'all others', MAX_WORD)}: write one")
        found[key] = least
    return found[None] if found.keys() == {None} else found


def class_numbers(name: ClassName, names: Sequence[str], count: int) -> tuple[int, ...]:
    """The numbers of the classes with a name (a list of names may repeat one), or the number itself.

    A text of digits is a number unless it is a name. Raises `DataError` for what there is not.

    >>> class_numbers("car", ("person", "car"), 2), class_numbers("0", ("person", "car"), 2)
    ((1,), (0,))
    """
    if isinstance(name, str):
        if found := tuple(n for n, known in enumerate(names[:count]) if known == name):
            return found
        if not (name.isascii() and name.isdigit()):
            told = shorten(repr(name), MAX_WORD)
            raise DataError(f"the network has no class {told}: {_known(name, names[:count])}")
    text = str(name)
    number = int(text) if len(text) < MAX_WORD else count  # Python makes no number of a text without end
    if not 0 <= number < count:
        raise DataError(f"the network has no class {shorten(text, MAX_WORD)}: its {count} classes are 0 to {count - 1}")
    return (number,)


def _known(name: str, names: Sequence[str]) -> str:
    if hint := did_you_mean(name, names):
        return hint
    if not names:
        return "its classes have no names, only numbers"
    return f"it knows {', '.join(names[:SHOWN])}{', …' if len(names) > SHOWN else ''}"
