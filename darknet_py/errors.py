"""What can go wrong, and where: positions in a source text, diagnostics with carets, and the exception tree.

Decision: a problem is data first (`Diagnostic`) and an exception second, because a compiler reports *all* problems of
a file at once. The exceptions carry the diagnostics that made them:

    DarknetError            everything this package raises on purpose
    ├── CfgError            the .cfg text, its options or its structure
    ├── WeightsError        the .weights file
    │   └── WeightsMissing  none were found
    ├── DataError           images, names, trees, other side files
    ├── BackendError        a runtime that is missing or refuses
    └── ZooError            model names, downloads, and the weights that come along

Warnings of Python's are `PictureWarning`, about a picture that can be read all the same, and `LimitWarning`, about an
exported file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

Say = Callable[[str], None]  # told, in a sentence, what is done for the user unasked: what is downloaded, or left out


def to_nobody(_: str) -> None:
    """A `Say` for what nobody wants to know."""


class Severity(StrEnum):
    """How bad a diagnostic is; only errors stop a compilation."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(StrEnum):
    """Stable diagnostic codes. DK1xx: text, DK2xx: options, DK3xx: structure, DK4xx: weights, DK5xx: the rest."""

    ENCODING = "DK101"
    STRAY_TEXT = "DK102"
    BAD_HEADER = "DK103"
    NO_EQUALS = "DK104"
    EMPTY_VALUE = "DK105"
    INLINE_COMMENT = "DK106"
    VARIABLE = "DK107"
    LINE_ENDS = "DK108"
    DUPLICATE_KEY = "DK109"
    TOO_LARGE = "DK110"
    NO_KEY = "DK111"

    UNKNOWN_KEY = "DK201"
    BAD_NUMBER = "DK202"
    ODD_NUMBER = "DK203"
    OUT_OF_RANGE = "DK204"
    BAD_CHOICE = "DK205"
    UNKNOWN_ACTIVATION = "DK206"
    GLUED_LIST = "DK207"
    TRAILING_COMMA = "DK208"
    MISSING_OPTION = "DK209"
    OVERRIDDEN = "DK210"

    EMPTY_FILE = "DK301"
    NO_NET = "DK302"
    UNKNOWN_SECTION = "DK303"
    BAD_REFERENCE = "DK304"
    BAD_SHAPE = "DK305"
    NO_INPUT_SIZE = "DK306"
    NOT_AN_IMAGE = "DK307"
    HEAD_MISMATCH = "DK308"
    UNDEFINED = "DK309"
    DIALECT = "DK310"
    SUSPICIOUS = "DK311"
    NO_EFFECT = "DK312"

    WEIGHTS_HEADER = "DK401"
    WEIGHTS_SHORT = "DK402"
    WEIGHTS_LONG = "DK403"
    WEIGHTS_MISSING = "DK404"
    WEIGHTS_VALUES = "DK405"

    SIDE_FILE = "DK501"
    OPTION = "DK502"


# What a terminal obeys instead of showing it: control characters (C0 without tab and line feed, DEL, C1), what turns
# the direction of writing, what nobody sees, other ends of lines, and halves of surrogate pairs, which no output can
# encode.
_UNPRINTABLE = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb"
    "\\ud800-\\udfff]"
)
_BREAKS = re.compile(r"[\t\n]")

MAX_WORD = 200  # characters of a word that may be a known one: nobody mistypes more, and to compare them takes seconds
MAX_MESSAGE = 300  # characters: a message may quote a value, and a value may fill the file


@dataclass(frozen=True)
class Source:
    """A named text; positions in it are character offsets."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(i + 1 for i, c in enumerate(self.text) if c == "\n")]

    def position(self, offset: int) -> tuple[int, int]:
        """The 1-based (line, column) of a character offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of the 1-based line `number`, without its line end."""
        start, end = self._ends(number)
        return self.text[start:end].rstrip("\r")

    def window(self, number: int, at: int, width: int = 120) -> tuple[str, int]:
        """At most `width` characters of a line around column `at`, from 0, and where they begin: a line may be long."""
        start, end = self._ends(number)
        if end - start <= width:
            return self.line(number), 0
        begin = max(0, min(at - width // 4, end - start - width))
        return self.text[start + begin : start + begin + width].rstrip("\r"), begin

    def _ends(self, number: int) -> tuple[int, int]:
        start = self._starts[number - 1]
        return start, self._starts[number] - 1 if number < len(self._starts) else len(self.text)


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """1-based line of the first character."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """1-based column of the first character."""
        return self.source.position(self.start)[1]

    def __str__(self) -> str:
        return "{}:{}:{}".format(self.source.name, *self.source.position(self.start))


@dataclass(frozen=True)
class Diagnostic:
    """One problem: a stable code, how bad it is, what it is, where, and the remedy."""

    code: Code
    severity: Severity
    message: str
    span: Span | None = None
    hint: str | None = None

    def __str__(self) -> str:
        """The problem as a compiler prints it: position, line, caret, hint."""
        head = f"{self.severity}[{self.code}]: {self.message}"
        lines = [f"{self.span}: {head}", *_excerpt(self.span)] if self.span else [head]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return printable("\n".join(lines))

    def to_dict(self) -> dict[str, object]:
        """The problem as plain data, for `--json`."""
        where: dict[str, object] = {}
        if self.span:
            line, column = self.span.source.position(self.span.start)
            end_line, end_column = self.span.source.position(self.span.end)
            where = dict(file=self.span.source.name, line=line, column=column, end_line=end_line, end_column=end_column)
        return {
            **where, "code": str(self.code), "severity": str(self.severity), "message": self.message, "hint": self.hint,
        }  # fmt: skip


def printable(text: str, *, lines: bool = True) -> str:
    r"""A text as it may be printed to people: what a terminal would obey is written as its escape.

    Without `lines`, tabs and line feeds too: for a name inside a line.

    >>> printable("\x1b[31mred\u202e\n"), printable("two\nlines", lines=False)
    ('\\x1b[31mred\\u202e\n', 'two\\nlines')
    """
    text = _UNPRINTABLE.sub(_escaped, text)
    return text if lines else _BREAKS.sub(_escaped, text)


def json_escaped(text: str) -> str:
    r"""The text of a JSON value with the same characters as JSON writes them: they can only stand in its strings.

    >>> json_escaped('"\x9b\u202e"')
    '"\\u009b\\u202e"'
    """
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _excerpt(span: Span) -> Iterable[str]:
    line, column = span.source.position(span.start)
    shown, offset = span.source.window(line, column - 1)
    width = max(1, min(span.end - span.start, len(shown) - (column - 1 - offset)))
    at = column - 1 - offset
    before, marked, after = (printable(s) for s in (shown[:at], shown[at : at + width], shown[at + width :]))
    lead = "".join("\t" if c == "\t" else " " for c in before)
    return f"  {before}{marked}{after}", f"  {lead}{'^' * max(width, len(marked))}"


@dataclass
class Diagnostics:
    """Collects the problems of one file; `check` raises once, with all of them.

    `strict` makes errors of warnings. `as_darknet` reads what Darknet reads silently wrong (an unknown activation, a
    comment after a value) as Darknet does, with a warning instead of an error.
    """

    items: list[Diagnostic] = field(default_factory=list)
    strict: bool = False
    as_darknet: bool = False

    def _add(self, severity: Severity, code: Code, message: str, span: Span | None, hint: str | None) -> None:
        self.items.append(Diagnostic(code, severity, shorten(message, MAX_MESSAGE), span, hint))

    def error(self, code: Code, message: str, span: Span | None = None, hint: str | None = None) -> None:
        """Record a problem that stops the compilation."""
        self._add(Severity.ERROR, code, message, span, hint)

    def warning(self, code: Code, message: str, span: Span | None = None, hint: str | None = None) -> None:
        """Record a problem that does not (an error under `strict`)."""
        self._add(Severity.ERROR if self.strict else Severity.WARNING, code, message, span, hint)

    def note(self, code: Code, message: str, span: Span | None = None, hint: str | None = None) -> None:
        """Record something worth knowing, never an error."""
        self._add(Severity.NOTE, code, message, span, hint)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The errors among the recorded problems."""
        return tuple(d for d in self.items if d.severity is Severity.ERROR)

    def check(self) -> None:
        """Raise `CfgError` with everything recorded, if any of it is an error."""
        if self.errors:
            raise CfgError(tuple(self.sorted()))

    def sorted(self) -> list[Diagnostic]:
        """The problems in the order of the text."""
        return sorted(self.items, key=lambda d: d.span.start if d.span else -1)


class DarknetError(Exception):
    """Base of every error raised on purpose; its text is meant for the user, and safe to print (`printable`)."""

    def __str__(self) -> str:
        return printable(super().__str__())


class CfgError(DarknetError):
    """A cfg that cannot be compiled; `diagnostics` holds every problem found, warnings included."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = diagnostics
        errors = told_once(d for d in diagnostics if d.severity is Severity.ERROR)
        super().__init__("\n".join(map(str, errors)))


class WeightsError(DarknetError):
    """A .weights file that does not belong to the network, with the layer where it stops fitting."""

    def __init__(self, message: str, code: Code = Code.WEIGHTS_SHORT, hint: str | None = None) -> None:
        self.code, self.hint = code, hint
        super().__init__(f"error[{code}]: {message}" + (f"\n  hint: {hint}" if hint else ""))


class WeightsMissing(WeightsError):
    """No weights were given, and none lie where they are looked for: at `places`."""

    def __init__(self, message: str, code: Code, hint: str | None, places: tuple[str, ...]) -> None:
        self.places = places
        super().__init__(message, code, hint)


class DataError(DarknetError):
    """An image, a names file or another side file that cannot be used."""


class PictureWarning(UserWarning):
    """A picture that is read as Darknet reads it, and may not be what it was meant to be: its file was cut."""


class LimitWarning(UserWarning):
    """Something that is asked of an exported file and that it cannot give: what it suppressed itself is not in it."""


class BackendError(DarknetError):
    """A runtime that is not installed, or that refuses the network."""


class ZooError(DarknetError):
    """A model name that is not known, a download that cannot be had, or weights that are not those that came along."""


def told_once(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The problems for a reader: what is said of several lines in the same words is said once, with their number.

    >>> source = Source("a.cfg", "x=1;x=1;x=1".replace(";", chr(10)))
    >>> twice = (Diagnostic(Code.UNKNOWN_KEY, Severity.WARNING, "no x", Span(source, i, i + 3)) for i in (0, 4, 8))
    >>> [d.message for d in told_once(twice)]
    ['no x; and 2 more lines']
    """
    groups: dict[object, list[Diagnostic]] = {}
    for d in diagnostics:
        groups.setdefault((d.code, d.severity, re.sub(r"line \d+", "", d.message), d.span is None), []).append(d)
    return tuple(_with_count(group) for group in groups.values())


def _with_count(group: list[Diagnostic]) -> Diagnostic:
    first = group[0]
    lines = {d.span.line for d in group if d.span}
    if len(group) == 1 or not first.span:
        return first
    more = len(lines) - 1
    again = counted(more, "more line") if more else f"{counted(len(group) - 1, 'more time')} in this line"
    return replace(first, message=f"{first.message}; and {again}")


def shorten(text: str, length: int) -> str:
    """The text, or its beginning and three dots where it is longer than `length`.

    >>> shorten("activation", 10), shorten("activation", 9)
    ('activation', 'activa...')
    """
    return text if len(text) <= length else text[: length - 3] + "..."


def first_line(error: object) -> str:
    r"""What an error says first; of others' errors the rest is for programmers, of ours it is how a person may go on.

    >>> first_line(DataError("a.jpg: not a picture\n  hint: look at it"))
    'a.jpg: not a picture'
    """
    return str(error).strip().partition("\n")[0]


def counted(number: int, noun: str, plural: str = "s") -> str:
    """A number with its noun.

    >>> counted(1, "class", "es"), counted(1_200, "picture")
    ('1 class', '1,200 pictures')
    """
    return f"{number:,} {noun}{plural if number != 1 else ''}"
