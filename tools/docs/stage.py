"""The folder that Sphinx reads: the pages of this folder, what the reference generates, and the files they link to.

Decision: a page keeps the links that work in the repository. A linked file of the repository is part of the site, at
its own path, and its links are followed too; pages of this folder stand at the top. So nothing is listed twice, and a
link to what is not there is an error here, without Sphinx.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from .reference import pages

ROOT = Path(__file__).parents[2]
HOME = PurePosixPath("tools/docs")
GENERATED = PurePosixPath("reference")

_FENCED = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()([^()\s#]+)(?=(?:#[^()\s]*)?\))")
_CONTENTS = re.compile(r"```\{toctree\}\n(.*?)```", re.DOTALL)
_TASKS = re.compile(r"(```\{toctree\}\n:caption: Tasks\n.*?)(```)", re.DOTALL)


class LinkError(ValueError):
    """A page links to a file that is not there."""


def write_site(folder: Path) -> list[PurePosixPath]:
    """Write every file of the site into an empty folder, and return the paths. Raises `LinkError`."""
    written = {GENERATED / name: text.encode() for name, text in pages().items()}
    for path in _reached():
        site = _place(path)
        source = ROOT / path
        written[site] = _page(path, source.read_text("utf-8")).encode() if path.suffix == ".md" else source.read_bytes()
    for path, data in written.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return sorted(written)


def own_pages() -> list[PurePosixPath]:
    """The pages that are written by hand for the site, as paths in the repository."""
    return sorted(HOME / path.name for path in (ROOT / HOME).glob("*.md"))


def links(text: str) -> list[str]:
    """The files that a page links to, as it writes them: no addresses, no places of the same page, nothing in code.

    >>> links("[a](b.md#c), ![d](e/f.svg), [g](https://example.org), [h](#i), `[j](k)`")
    ['b.md', 'e/f.svg']
    """
    found: list[str] = []

    def note(target: str) -> str:
        found.append(target)
        return target

    _with_links(text, note)
    return found


def _with_links(text: str, change: Callable[[str], str]) -> str:
    """The text with other targets of its links."""

    def changed(part: str) -> str:
        return _LINK.sub(lambda m: m[1] if ":" in m[1] else change(m[1]), part)

    parts = re.split(r"(`[^`\n]+`)", text) if not _FENCED.search(text) else None
    if parts is not None:
        return "".join(part if part.startswith("`") else changed(part) for part in parts)
    start, pieces = 0, []
    for block in _FENCED.finditer(text):
        pieces += [_with_links(text[start : block.start()], change), block[0]]
        start = block.end()
    return "".join([*pieces, _with_links(text[start:], change)])


def _reached() -> Iterator[PurePosixPath]:
    """Every file of the repository that is part of the site: the own pages, and what links lead to from there."""
    waiting = own_pages()
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        yield path
        if path.suffix != ".md":
            continue
        for link in links((ROOT / path).read_text("utf-8")):
            target = find_target(path, link)
            if target is not None and target not in seen:
                seen.add(target)
                waiting.append(target)


def find_target(page: PurePosixPath, link: str) -> PurePosixPath | None:
    """The file of the repository that a link of a page means; None for a generated page."""
    path = PurePosixPath(normpath(page.parent / link))
    if path.is_relative_to(HOME / GENERATED):
        if path.relative_to(HOME / GENERATED).as_posix() in pages():
            return None
        raise LinkError(f"{page} links to {link}, which is not generated")
    if (ROOT / path).is_dir():
        path /= "README.md"
    if not (ROOT / path).is_file():
        raise LinkError(f"{page} links to {link}, which is not there")
    return path


def _place(path: PurePosixPath) -> PurePosixPath:
    """Where a file of the repository is in the site."""
    return path.relative_to(HOME) if path.is_relative_to(HOME) else path


def _page(path: PurePosixPath, text: str) -> str:
    """A page as it stands in the site: its links lead to where files are there."""
    here = _place(path).parent

    def moved(link: str) -> str:
        target = find_target(path, link)
        return link if target is None else relpath(_place(target), here)

    if path == HOME / "index.md":
        return complete(_with_links(text, moved))
    in_contents = path in own_pages()
    return _with_links(text, moved) if in_contents else f"---\norphan: true\n---\n\n{_with_links(text, moved)}"


def complete(index: str) -> str:
    """The first page, with pages that no table of contents names under the tasks."""
    named = {line.strip() for block in _CONTENTS.findall(index) for line in block.splitlines()}
    missing = [path.stem for path in own_pages() if path.stem not in named and path.stem != "index"]
    return _TASKS.sub(lambda m: m[1] + "".join(f"{name}\n" for name in missing) + m[2], index, count=1)
