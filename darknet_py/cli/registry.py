"""Which commands there are: files of this package, and what other distributions register.

Decision: what a list needs stands in the first lines of a command's file and is read as text, so help imports no
command. The file opens with a sentence that begins with the program and the name, and has two lines like these:

    PLACE = ("Convert", 2)  # the section of `darknet-py --help`, and where in it
    EXTRA = "train"         # what to install for it, if it needs more than the package does

Ours are `cli/NAME.py`, thin over a public function or an application; each has the click command in `command`. Others
are entry points of the group `darknet_py.commands`, `NAME = package.module:command`.
"""

from __future__ import annotations

import sys
from ast import literal_eval
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ..errors import DarknetError
from ..version import PROJECT

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "darknet_py.commands"
PACKAGE = Path(__file__).parents[1]
SECTIONS = (  # first, as here
    "Run", "Check and compare", "Look into a network", "Convert", "Train", "As Darknet is called",
)  # fmt: skip
OTHERS, UNUSABLE = "Others", "Cannot be used"


class Entry(NamedTuple):  # a dataclass would take a millisecond of each start
    """A command that is not imported yet: what a list says of it, where it is, and what pip installs for it."""

    name: str
    help: str
    section: str
    order: int
    module: str
    attribute: str
    requirement: str


def find_command(name: str) -> Entry | None:
    """The command called `name`; others are asked only if none of ours is called so."""
    if name.isidentifier():
        own = _own(path for path in [PACKAGE / "cli" / f"{name}.py"] if path.is_file())
        if entry := next(own, None):
            return entry
    return next((entry for entry in _others() if entry.name == name), None)


def list_commands() -> list[Entry]:
    """Every command in the order of the help text; those in the section `UNUSABLE` say in `help` what is wrong."""
    own = list(_own(PACKAGE.glob("cli/*.py")))
    taken = {entry.name for entry in own}
    others = (_unusable(e, "darknet-py has a command of this name") if e.name in taken else e for e in _others())
    sections = {title: i for i, title in enumerate((*SECTIONS, OTHERS))}

    def rank(entry: Entry) -> tuple[bool, int, str, int, str]:
        known = sections.get(entry.section, len(SECTIONS))
        return entry.section == UNUSABLE, known, entry.section, entry.order, entry.name

    return sorted([*own, *others], key=rank)


def load_command(entry: Entry) -> click.Command:
    """Import a command. Raises `DarknetError` of one line if it cannot be: a library is missing, or it is broken."""
    if entry.section == UNUSABLE:
        raise DarknetError(f"the command {entry.name!r} cannot be used: {entry.help}")
    try:
        command = getattr(import_module(entry.module), entry.attribute)
    except Exception as e:
        if lacking := missing(entry, e):
            raise lacking from e
        if _top(entry.module) == PACKAGE.name:
            raise  # a fault of ours is not to be hidden
        raise DarknetError(f"the command {entry.name!r} of {entry.requirement} is broken: {_line(e)}") from e
    if not isinstance(command, click.Command):
        what = f"{entry.module}:{entry.attribute} is no click command"
        raise DarknetError(f"the command {entry.name!r} of {entry.requirement} is broken: {what}")
    return command


def missing(entry: Entry, error: Exception) -> DarknetError | None:
    """What to raise where a command lacks a library, with what to install; None if something else is wrong.

    >>> entry = Entry("train", "", "", 0, "trainer.cli", "command", "a-trainer[gpu]")
    >>> print(missing(entry, ModuleNotFoundError(name="torch")))
    darknet-py train needs torch, which is not installed: pip install 'a-trainer[gpu]'
    """
    library = _top(error.name or "") if isinstance(error, ModuleNotFoundError) else ""
    if library in ("", PACKAGE.name, _top(entry.module)):
        return None
    from ..version import requirement

    ours, _, extra = entry.requirement.rstrip("]").partition("[")
    wanted = requirement(extra) if ours == PROJECT and _top(entry.module) == PACKAGE.name else f"'{entry.requirement}'"
    return DarknetError(f"darknet-py {entry.name} needs {library}, which is not installed: pip install {wanted}")


def _own(paths: Iterable[Path]) -> Iterator[Entry]:
    """The commands among files of this package; what several commands share opens with another sentence."""
    for path in paths:
        name = path.stem
        text = path.read_text("utf-8")
        if _sentence(name, text):
            module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
            yield _entry(name, text, module, "command", PROJECT, ())


def _others() -> Iterator[Entry]:
    """The commands that other distributions register; one that has no such module is in the section `UNUSABLE`."""
    if not _somebody_registers():
        return
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        distribution = point.dist.name if point.dist else "another distribution"
        try:
            yield _entry(point.name, _source(point), point.module, point.attr, distribution, tuple(point.extras))
        except Exception as e:  # whatever is wrong with it, the other commands go on
            entry = Entry(point.name, "", "", 0, "", "", distribution)
            yield _unusable(entry, _line(e))


def _somebody_registers() -> bool:
    """Whether an installed distribution names the group: this takes 1 ms, and to import importlib.metadata 18."""
    files = (path for folder in sys.path for path in Path(folder).glob("*.*-info/entry_points.txt"))
    return any(GROUP in path.read_text("utf-8", "replace") for path in files)


def _source(point: EntryPoint) -> str:
    """The text of a registered module; only the packages above it are imported. Raises if there is no such module."""
    from importlib.util import find_spec

    spec = find_spec(point.module)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {point.module!r}")
    read = getattr(spec.loader, "get_source", None)
    return (read(point.module) if read else None) or ""


def _entry(
    name: str, text: str, module: str, attribute: str, distribution: str, extras: tuple[str, ...]
) -> Entry:  # fmt: skip
    section, order = _stated("PLACE", text) or (OTHERS, 0)
    needed = ",".join(extras) or _stated("EXTRA", text)
    requirement = f"{distribution}[{needed}]" if needed else distribution
    help_text = _sentence(name, text) or f"a command of {distribution}"
    return Entry(name, help_text, section, order, module, attribute, requirement)


def _stated(name: str, text: str) -> Any:
    """The literal that a line of a command's file assigns to `name`; None without such a line."""
    literal = text.partition(f"\n{name} = ")[2].partition("\n")[0]
    return literal_eval(literal) if literal else None


def _sentence(name: str, text: str) -> str:
    """What a command's file says first, without the name of the command; empty if it does not begin so.

    >>> _sentence("diff", 3 * '"' + "`darknet-py diff`: whether two cfgs describe the same network." + 3 * '"')
    'whether two cfgs describe the same network'
    """
    opening = f'"""`darknet-py {name}`: '
    first = text.removeprefix(opening).partition("\n")[0]
    return first.removesuffix('"""').removesuffix(".") if text.startswith(opening) else ""


def _unusable(entry: Entry, why: str) -> Entry:
    return Entry(entry.name, f"of {entry.requirement}: {why}", UNUSABLE, 0, "", "", entry.requirement)


def _top(module: str) -> str:
    return module.partition(".")[0]


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
