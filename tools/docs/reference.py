"""The reference pages as Markdown: sections from the layers' schemas, commands from click, the API from docstrings.

Decision: they are made when the site is built and are in no repository, so they say what the product says. Everything
here is a function of the package; another section, option, command, pass or public name appears by itself.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain, groupby
from pathlib import Path
from typing import NamedTuple, get_args

import click

import darknet_py
from darknet_py import cv2_compat
from darknet_py.backends.backend import backends
from darknet_py.cli import darknet_options, registry, words
from darknet_py.darknet.cfg.options import Phase
from darknet_py.darknet.codes import EXPLANATIONS
from darknet_py.darknet.dialects import DIALECTS
from darknet_py.darknet.explain import OptionRow, option_rows, section_classes
from darknet_py.darknet.layers.layer import Layer, section_names
from darknet_py.darknet.layers.net import Net
from darknet_py.passes.definition import TAKERS, UNTOUCHED
from darknet_py.passes.table import TABLE

from .wording import contents, listed, prose, quoted, table

PHASES: dict[Phase, str] = {
    "infer": "Options",
    "train": "Options that only training reads",
    "none": "Options that Darknet reads for something else",
}
ABOUT: dict[Phase, str] = {
    "infer": "",
    "train": "[Training](../../train.md) reads them; they change nothing in what a trained network computes. Their "
    "values are taken as Darknet takes them.",
    "none": "Printing, tracking, CUDA, or nothing at all: known, and without effect here.",
}
ROOMS = {  # the public API, by the rooms that its names come from
    "model": "Networks ready to run",
    "vision": "What was found",
    "contract": "Boxes",
    "apps": "Data sets, training and evaluation",
    "analysis": "Looking into networks",
    "darknet": "Compiling and weights",
    "backends": "Sessions",
    "compat": "Other programs' words",
    "cv2_compat": "OpenCV",
    "zoo": "Networks by name",
    "errors": "Errors",
}
MEASURED = Path(__file__).parents[1] / "bench" / "PASSES.md"  # its table has the gain of each pass
IN_CFG = {"False": "0", "True": "1"}  # how a file writes what Python reads


@cache
def pages() -> dict[str, str]:
    """Every generated page by its path in `reference/`."""
    return {
        "sections.md": _sections_page(),
        **{f"sections/{group.file}.md": _section_page(group) for group in section_groups()},
        "sections/every.md": _every_page(),
        "codes.md": _codes_page(),
        "commands.md": _commands_page(),
        **{f"commands/{entry.name}.md": _command_page(entry) for entry in _entries()},
        "api.md": _api_page(),
        "passes.md": _passes_page(),
        "backends.md": _backends_page(),
        "words.md": _words_page(),
    }


# -- sections -------------------------------------------------------------------------------------------------------


class SectionGroup(NamedTuple):
    """The names of one section, and its classes with the dialects of each."""

    names: tuple[str, ...]
    classes: tuple[tuple[type, tuple[str, ...]], ...]

    @property
    def file(self) -> str:
        """The name of its page; a file system may not tell `Region` from `region`."""
        return self.names[0].lower()


@cache
def section_groups() -> tuple[SectionGroup, ...]:
    """Every section, [net] first, those that are one by several names together."""
    found: dict[tuple[tuple[type, tuple[str, ...]], ...], list[str]] = {}
    for name in section_names():
        classes = tuple((cls, tuple(dialects)) for cls, dialects in section_classes(name))
        found.setdefault(classes, []).append(name)
    groups = [SectionGroup(tuple(sorted(names, key=len, reverse=True)), key) for key, names in found.items()]
    net = SectionGroup(("net", "network"), ((Net, tuple(DIALECTS)),))
    return (net, *sorted(groups, key=lambda group: group.file))


def _sections_page() -> str:
    rows = [
        (
            f"[`[{group.names[0]}]`](sections/{group.file}.md)",
            quoted(f"[{name}]" for name in group.names[1:]),
            prose(_sentence(group.classes[0][0])),
            _dialects({d for _, dialects in group.classes for d in dialects}),
        )
        for group in section_groups()
    ]
    return (
        "# Sections of a cfg\n\n"
        "Every section and every option of Darknet, from the same classes that read the file: what it means, its type "
        "and default, and what Darknet does with it. `darknet-py explain SECTION` prints the same.\n\n"
        "A cfg is `[net]` and layers after it, each a section. Keys that a section does not have are ignored by "
        "Darknet; here they are warned of. What the three [dialects](#dialects) read differently is said at each "
        "section. [Some options](sections/every.md) are those of every layer.\n\n"
        f"{table(('section', 'also', 'what it computes', 'dialects'), rows)}\n\n"
        "## Dialects\n\n"
        + table(
            ("`--dialect`", "whose", "batch normalization"),
            [
                (
                    f"`{d.name}`",
                    prose(d.title),
                    f"epsilon {d.epsilon:g}, {'after' if d.epsilon_outside else 'under'} the root",
                )
                for d in DIALECTS.values()
            ],
        )
        + "\n\nA file that gives itself away is read in its own dialect, with a warning that shows the line.\n\n"
        + contents(["sections/every", *(f"sections/{group.file}" for group in section_groups())])
    )


def _section_page(group: SectionGroup) -> str:
    text = [f"# [{group.names[0]}]", ""]
    if len(group.names) > 1:
        text += [f"Also written {quoted(f'[{name}]' for name in group.names[1:])}.", ""]
    before: list[list[OptionRow]] = []
    for cls, dialects in group.classes:
        titles = listed((DIALECTS[d].title for d in dialects), "and")
        if len(group.classes) > 1:
            text += [f"## In {titles}", ""]
        elif len(dialects) < len(DIALECTS):
            text += [f"Only in {titles}.", ""]
        text += [prose(inspect.cleandoc(cls.__doc__ or "")), ""]
        rows = [option_rows(cls, phase) for phase in PHASES]
        if rows == before:
            text += ["The options are the same.", ""]
            continue
        before = rows
        for phase, title in PHASES.items():
            text += _options(cls, phase, title, "###" if len(group.classes) > 1 else "##")
    if group.names[0] != "net":
        text += ["It also has [the options of every layer](every.md).", ""]
    text += [f"`darknet-py explain {group.names[0]}` prints this in a terminal.", ""]
    return "\n".join(text)


def _options(cls: type, phase: Phase, title: str, level: str) -> list[str]:
    shared = set() if cls is Net or cls is Layer else {row.key for p in PHASES for row in option_rows(Layer, p)}
    rows = [row for row in option_rows(cls, phase) if row.key not in shared]
    if not rows:
        return []
    about = [ABOUT[phase], ""] if ABOUT[phase] else []
    return [f"{level} {title}", "", *about, option_table(rows), ""]


def option_table(rows: Sequence[OptionRow]) -> str:
    """Options of a section as a table."""
    return table(("option", "type", "default", "meaning"), [_option(row) for row in rows])


def _option(row: OptionRow) -> tuple[str, str, str, str]:
    kind = quoted(row.choices, "or") if row.choices else prose(row.kind.replace("bool", "0 or 1"))
    taken = f" Any other word is `{row.fallback}` in Darknet, silently." if row.fallback else ""
    default = row.default.removeprefix("= ")
    default = IN_CFG.get(default, default)
    return f"`{row.key}`", kind, default if default in ("", "required") else f"`{default}`", f"{prose(row.doc)}.{taken}"


def _every_page() -> str:
    text = ["# Options of every layer", "", "Every section but `[net]` has them.", ""]
    for phase, title in PHASES.items():
        text += _options(Layer, phase, title, "##")
    return "\n".join(text)


def _sentence(cls: type) -> str:
    return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]


def _dialects(names: set[str]) -> str:
    return "all" if len(names) == len(DIALECTS) else listed(d for d in DIALECTS if d in names)


# -- codes -----------------------------------------------------------------------------------------------------------


def _codes_page() -> str:
    text = [
        "# Messages of the compiler", "",
        "What each code means, what to do about it, and the smallest cfg that brings it. `darknet-py explain DK203` "
        "prints the same; `darknet-py lint my.cfg` finds them in a file.", "",
    ]  # fmt: skip
    for code, said in EXPLANATIONS.items():
        text += [f"## {code}: {code.name.lower().replace('_', ' ')}", "", prose(said.what), "", prose(said.remedy), ""]
        if said.example and said.example.replace("\n", "").isprintable():
            text += ["```ini", said.example.rstrip("\n"), "```", ""]
    return "\n".join(text)


# -- commands --------------------------------------------------------------------------------------------------------


def _entries() -> list[registry.Entry]:
    """The commands of this package; what else is installed here is not documented here."""
    ours = [e for e in registry.list_commands() if e.module.startswith(f"{registry.PACKAGE.name}.")]
    return [e for e in ours if e.section != registry.UNUSABLE]


def _commands_page() -> str:
    text = [
        "# Commands", "",
        "`darknet-py COMMAND --help` prints what stands here. Data goes to stdout, messages to stderr. The exit status "
        "is 0 for success, 1 for a failure, told in one message, 2 for wrong usage, 130 after Ctrl-C.", "",
    ]  # fmt: skip
    for section, entries in groupby(_entries(), key=lambda entry: entry.section):
        rows = [(f"[`{e.name}`](commands/{e.name}.md)", prose(e.help)) for e in entries]
        text += [f"## {section}", "", table(("command", ""), rows), ""]
    return "\n".join([*text, contents(f"commands/{entry.name}" for entry in _entries())])


def _command_page(entry: registry.Entry) -> str:
    command = registry.load_command(entry)
    text = [f"# darknet-py {entry.name}", "", *_command(command, f"darknet-py {entry.name}")]
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            text += [f"## darknet-py {entry.name} {name}", "", *_command(inner, f"darknet-py {entry.name} {name}")]
    return "\n".join(text)


def _command(command: click.Command, name: str) -> list[str]:
    """What `--help` says: usage, text, examples, arguments and options."""
    context = click.Context(command, info_name=name, help_option_names=["-h", "--help"])
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    records = [p.get_help_record(context) for p in command.get_params(context)]
    rows = [(f"`{said}`", prose(meaning)) for said, meaning in filter(None, records) if meaning]
    return ["```text", usage, "```", "", *_help(command.help or ""), table(("option", ""), rows), ""]


def _help(text: str) -> Iterator[str]:
    """A help text as Markdown: examples, which click is told not to wrap, are blocks."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if paragraph.startswith("\b\n"):
            yield from ("```sh", paragraph.removeprefix("\b\n"), "```", "")
        else:
            yield from (prose(" ".join(paragraph.split())), "")


# -- Python ----------------------------------------------------------------------------------------------------------


def public_names() -> dict[str, list[str]]:
    """The names of `darknet_py.__all__` by the title of their room."""
    found: dict[str, list[str]] = {title: [] for title in ROOMS.values()}
    for name in darknet_py.__all__:
        if name.startswith("__"):
            continue
        room = getattr(darknet_py, name).__module__.split(".")[1]
        found.setdefault(ROOMS.get(room, room), []).append(name)
    return {title: names for title, names in found.items() if names}


def _api_page() -> str:
    text = [
        "# Python", "",
        "What is public is in `darknet_py`, as in `from darknet_py import load`, and in `darknet_py.cv2_compat`. Names "
        "are imported when they are first used, so `import darknet_py` costs nothing.", "",
    ]  # fmt: skip
    for title, names in public_names().items():
        text += [f"## {title}", ""]
        for name in names:
            text += _documented(name, f"darknet_py.{name}", inspect.isclass(getattr(darknet_py, name)))
    text += ["## What functions return", "", "These come from functions; nobody needs to import them.", ""]
    for cls in returned_classes():
        text += _documented(cls.__name__, f"{cls.__module__}.{cls.__name__}", True)
    return "\n".join(text)


def _documented(name: str, path: str, is_class: bool) -> list[str]:
    directive = f".. auto{'class' if is_class else 'function'}:: {path}"
    more = ["   :members:", "   :special-members: __call__"] if is_class else []
    return [f"### {name}", "", "```{eval-rst}", directive, *more, "```", ""]


def returned_classes() -> list[type]:
    """Our classes that public functions return and that are no public names themselves, and OpenCV's `DetectionModel`.

    Annotations are looked up where a function is written; what is imported there for type checkers only is not there.
    """
    public = [getattr(darknet_py, name) for name in darknet_py.__all__]
    found: dict[type, None] = {cv2_compat.DetectionModel: None}
    for function in filter(inspect.isfunction, public):
        written = str(inspect.signature(function).return_annotation)
        module = sys.modules[function.__module__]
        named = (getattr(module, word, None) for word in re.findall(r"\w+", written))
        classes = chain.from_iterable(get_args(n) or (n,) for n in named)  # a union is each of its classes
        ours = (n for n in classes if inspect.isclass(n) and n.__module__.startswith("darknet_py."))
        found.update(dict.fromkeys(cls for cls in ours if cls not in public))
    return sorted(found, key=lambda cls: cls.__name__)


# -- passes and back ends --------------------------------------------------------------------------------------------


def _passes_page() -> str:
    rows = []
    for name, group in groupby(TABLE, key=lambda line: line.made(8).name):
        found = list(group)
        takers = [taker for taker in TAKERS if any(taker in line.takers for line in found)]
        step = found[0].made(8)
        module = inspect.getmodule(step.function)
        what = inspect.cleandoc((module and module.__doc__) or "").partition("\n\n")[0]
        exact = "yes: no number changes" if step.exact is True else prose(step.exact)
        rows.append((f"`{name}`", prose(" ".join(what.split())), exact, gain_of(name), quoted(takers)))
    return (
        "# The passes\n\n"
        "In the order in which they run, as the files of `darknet_py/passes/` say. "
        f"{quoted(UNTOUCHED, 'and')} take none: they say what is right. `file` is an exported "
        "ONNX file.\n\n"
        f"{table(('pass', 'what it does', 'exact', 'gain', 'taken by'), rows)}\n\n"
        "Gains are how many times as fast a network became with the pass as without. [How they were measured, and "
        "what was tried in vain](../tools/bench/PASSES.md).\n\n"
        "That a pass is as exact as it says is proven twice: by hand-written answers, and on every network that "
        "Darknet ran, before the passes and after them ([how](../exactness.md#how-it-is-proven)).\n"
    )


@cache
def _gains() -> dict[str, str]:
    """The last column of the measured table, by the name of the pass in its first."""
    rows = re.findall(r"^\| [^|]*\(`(\w+)`\) \|.*\| (.+) \|$", MEASURED.read_text("utf-8"), re.MULTILINE)
    return dict(rows)


def gain_of(name: str) -> str:
    """What a pass gained, as it was measured. Raises `KeyError` for one that was not."""
    return prose(_gains()[name])


def _backends_page() -> str:
    rows = [
        (
            f"`{b.name}`",
            prose(b.title),
            f"`pip install '.[{b.extra}]'`" if b.extra else "installed with this package",
            quoted(b.reads) or "no",
            {"session": "each session", "process": "the whole process", "none": "no such option"}[b.threads],
            quoted(("f32", *b.precisions)),
        )
        for b in backends().values()
    ]
    heads = ("`--backend`", "what it is", "how to get it", "runs exported files", "`threads` is for", "`--precision`")
    return f"# Back ends\n\n{table(heads, rows)}\n\n`auto` times those that are here and remembers the fastest.\n"


# -- other programs' words -------------------------------------------------------------------------------------------


def _words_page() -> str:
    commands, options = (
        [(quoted(word.said), f"`{word.here}`" if word.here else "none", prose(word.how)) for word in known]
        for known in (words.COMMANDS, words.OPTIONS)
    )
    groups = [
        (f"`darknet {group} {word}`", prose(how)) for group in words.GROUPS for word, how in words.GROUPS[group].items()
    ]
    ignored = [
        (f"`{name}`{' and its value' if takes else ''}", prose(why or "nobody misses anything"))
        for name, (takes, why) in darknet_options.IGNORED.items()
    ]
    return "\n".join([
        "# Other programs' words", "",
        "The tables that answer a command line of another program. An underscore stands for a dash too.", "",
        "## Commands", "", table(("elsewhere", "here", "how"), commands), "",
        "## Options", "", table(("elsewhere", "here", "how"), options), "",
        "## Darknet's commands that are not here", "", table(("Darknet", "instead"), groups), "",
        "## Darknet's options that change nothing here", "",
        "The commands that take Darknet's own lines take them, and say so.", "",
        table(("option", "why"), ignored), "",
    ])  # fmt: skip
