"""Every block of code on every page runs, or says what it needs; what it shows is printed, and links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from conftest import SHARED
from pages import PAGES, ROOT, RUN, SHOWN, Block, blocks, lacking
from scratch import run_line, show_nothing, write_scratch

from darknet_py import load
from darknet_py.cli import main
from tools.docs.reference import pages as generated
from tools.docs.stage import links

BLOCKS = blocks()
ELSEWHERE = {"contributing": "tests/test_contributing.py runs its blocks"}
TESTED = [block for block in BLOCKS if block.page.stem not in ELSEWHERE]
TEXTS = {page: page.read_text("utf-8") for page in PAGES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a reader: the files of the examples, and those that pages show."""
    path = tmp_path_factory.mktemp("pages")
    write_scratch(path)
    for name, boxes in (("boxes", "decoded"), ("found", "nms")):
        run = ["export", str(path / "my.cfg"), "-o", str(path / f"{name}.onnx"), "--boxes", boxes]
        assert CliRunner().invoke(main, run).exit_code == 0
    # For those formats whose runtime writes its own files, if that is here.
    for name in ("my.xml", "phone.param", "my.torchscript", "my.pt2", "my.tflite"):
        run = ["export", str(path / "my.cfg"), "-o", str(path / name), "--boxes", "decoded", "--no-check"]
        done = CliRunner().invoke(main, run)
        assert done.exit_code == 0 or "pip install" in done.output
    for block in BLOCKS:
        if block.file:
            (path / block.file).write_text(block.text)
    return path


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder, where the reader stands; trained models come from the material outside the repository."""
    shutil.copytree(folder, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend(str(tmp_path / "here"))
    monkeypatch.setenv("DARKNET_PY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DARKNET_PY_MIRROR", str(SHARED / "weights"))
    show_nothing(monkeypatch)
    return tmp_path / "here"


@pytest.fixture(autouse=True)
def one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """PyTorch computes in one thread, which is fastest for networks as small as these."""
    block = getattr(request.node, "callspec", None) and request.node.callspec.params.get("block")
    if not isinstance(block, Block) or "torch" not in block.needs or lacking("torch", SHARED):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def prepare(block: Block) -> None:
    """Skip a block that lacks something, and put the material that it asks for in its place."""
    for need in block.needs:
        if reason := lacking(need, SHARED):
            pytest.skip(reason)
    for name, source in block.given:
        if not (SHARED / source).is_file():
            pytest.skip(f"needs {SHARED / source}, which is not ours to publish")
        shutil.copy(SHARED / source, name)


def of(kind: str) -> list[Block]:
    return [block for block in TESTED if block.kind == kind and not block.file]


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert len(of("python")) > 15
    assert len(of("sh")) > 20
    assert len(of("console")) > 4
    assert [str(b) for b in TESTED if b.kind not in (*RUN, *SHOWN)] == []
    assert not [str(b) for b in TESTED if b.kind in SHOWN and re.search(r"^(\$|darknet-py|pip) ", b.text, re.MULTILINE)]


def test_a_mark_is_one_that_is_known() -> None:
    marks = [mark for text in TEXTS.values() for mark in re.findall(r"^<!-- (.+) -->$", text, re.MULTILINE)]
    measured = [mark.removeprefix("measured: make ") for mark in marks if mark.startswith("measured: ")]  # tables
    assert not [target for target in measured if not re.search(rf"(?m)^{target}:", (ROOT / "Makefile").read_text())]
    marks = [mark for mark in marks if not mark.startswith("measured: ")]
    assert len(marks) > 5
    assert not [mark for mark in marks if not re.match(r"needs |file: |with \S+ from \S+$", mark)]
    assert sum(len(block.marks) for block in BLOCKS) == len(marks), "a mark is right above its block"


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_the_commands_of_a_block_run_in_turn(here: Path, block: Block) -> None:
    prepare(block)
    for line in block.lines:
        run_shell(line)


def run_shell(line: str) -> None:
    """A line of a block of commands; those that install or build are looked up, not run."""
    if line.startswith("make "):
        assert re.search(rf"(?m)^{line.split()[1]}:", (ROOT / "Makefile").read_text())
    elif line.startswith("pip install"):
        assert shlex.split(line)[2].startswith(".")
    elif line.startswith("torchrun "):
        subprocess.run([sys.executable, "-m", "torch.distributed.run", *shlex.split(line)[1:]], check=True)
    elif read := re.fullmatch(r"source <\((.+)\)", line):
        assert run_line(read[1]).stdout
    else:
        command, _, output = line.partition(" > ")
        result = run_line(command)
        if output:
            Path(output).write_text(result.stdout)


@pytest.mark.parametrize("block", of("console"), ids=str)
def test_a_command_prints_what_the_page_shows(here: Path, block: Block) -> None:
    prepare(block)
    assert block.transcript
    for line, shown in block.transcript:
        assert said(line) == shown


def said(line: str) -> str:
    """What a terminal shows of a line: with `| grep WORD` the lines with that word, with `-v` the others."""
    command, _, chosen = line.partition(" | grep ")
    both = not chosen or command.endswith(" 2>&1")
    result = CliRunner().invoke(main, shlex.split(command.removesuffix(" 2>&1"))[1:], prog_name="darknet-py")
    shown = result.output if both else result.stdout
    wanted, word = not chosen.startswith("-v "), chosen.removeprefix("-v ").strip("'").replace(r"\|", "|")
    return "".join(f"{text}\n" for text in shown.splitlines() if bool(re.search(word, text)) == wanted)


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_a_block_of_python_runs(here: Path, block: Block) -> None:
    prepare(block)
    exec(compile(block.text, str(block.page), "exec"), {})  # the pages are ours


def test_the_program_for_litert_takes_a_file_of_bytes_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = (b for b in of("python") if "ai_edge_litert" in b.needs)
    prepare(block)
    run_line("darknet-py export my.cfg -o my.tflite --int8 photos.txt --boxes decoded --no-check --replace")
    capsys.readouterr()
    exec(compile(block.text, str(block.page), "exec"), {})
    (label, score), *_ = (line.split()[:2] for line in capsys.readouterr().out.splitlines())
    (found,) = load("my.cfg")("dog.jpg")[0].to_dict()["objects"]
    assert int(label) == found["class_id"]
    assert abs(float(score) - found["confidence"]) < 0.1


NAMED = re.compile(r"`(darknet-py [a-z][^`…]*)`")
INLINE = sorted({(p.name, line) for p in PAGES if p.stem not in ELSEWHERE for line in NAMED.findall(TEXTS[p])})


@pytest.mark.parametrize(("page", "line"), INLINE)
def test_a_command_that_is_named_exists_with_its_options(here: Path, page: str, line: str) -> None:
    name, *arguments = shlex.split(line)[1:]
    command = main.get_command(click.Context(main), name)
    assert command is not None, page
    if isinstance(command, click.Group) and arguments:
        inner = command.get_command(click.Context(command), arguments[0])
        assert inner is not None
        command, arguments = inner, arguments[1:]
    if [word for word in arguments if not word.isupper() and word not in ("-h", "--help")]:  # else it is only named
        assert command.make_context(name, arguments).command is command


def test_extras_that_are_named_exist() -> None:
    extras = {n for text in TEXTS.values() for group in re.findall(r"\[([a-z,]+)\]'", text) for n in group.split(",")}
    setup = (ROOT / "setup.cfg").read_text()
    assert {"view", "eval"} <= extras
    assert not [name for name in extras if not re.search(rf"(?m)^{name} = |^{name} =$", setup)]


def test_every_extra_is_in_the_list_of_the_first_page() -> None:
    listed = TEXTS[ROOT / "tools/docs/start.md"].partition("## Extras")[2]
    setup = (ROOT / "setup.cfg").read_text()
    extras = re.findall(r"(?m)^([\w-]+) =", setup.partition("[options.extras_require]")[2].partition("\n[")[0])
    assert {"torch", "openvino", "serve"} <= set(extras)
    assert not [name for name in extras if f"`{name}`" not in listed]


def test_a_page_that_links_to_the_reference_says_how_that_is_built() -> None:
    linking = [page for page in PAGES if any(link.startswith("reference/") for link in links(TEXTS[page]))]
    assert linking
    assert not [page.name for page in linking if "`make docs`" not in TEXTS[page]]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_a_link_leads_to_a_file_or_a_generated_page(page: Path) -> None:
    docs = ROOT / "tools/docs"
    for link in links(TEXTS[page]):
        target = (page.parent / link).resolve()
        made = target.is_relative_to(docs / "reference") and str(target.relative_to(docs / "reference")) in generated()
        assert made or target.exists(), link


def test_the_readme_is_two_screens_and_leads_to_every_task() -> None:
    readme = TEXTS[ROOT / "README.md"]
    assert len(readme.splitlines()) < 80
    index = TEXTS[ROOT / "tools/docs/index.md"]
    tasks = re.findall(r"^\| .+\]\((\w+\.md)\) \|$", index, re.MULTILINE)
    assert len(tasks) > 5
    assert not [task for task in tasks if f"(tools/docs/{task})" not in readme]
