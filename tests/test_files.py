"""Files: what has no end is not read to it, what nobody writes to is not waited for, and users' files are theirs."""

from __future__ import annotations

import ast
import errno
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType

import cv2
import numpy as np
import pytest
from networks import picture, write_detector

import darknet_py
from darknet_py import export_onnx, files, load
from darknet_py.analysis.dump import read_array, write_npz
from darknet_py.backends.session import open_file
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.layers.heads.tree import read_tree
from darknet_py.darknet.network import open_network
from darknet_py.darknet.weights import random_weights, read_weights, write_weights
from darknet_py.errors import DarknetError, DataError
from darknet_py.files import (
    LIST,
    check_output,
    neighbours,
    one_run,
    opening,
    read_at_most,
    replacing,
    scratch,
    write_whole,
)
from darknet_py.ir import Graph
from darknet_py.machine import host, is_alive
from darknet_py.onnx.metadata import read_onnx
from darknet_py.vision.sources import pictures
from darknet_py.zoo.find import find_network
from darknet_py.zoo.names import find_names, read_names

ZERO = Path("/dev/zero")
endless = pytest.mark.skipif(not ZERO.exists(), reason="needs /dev/zero, as Linux and macOS have it")


@endless
@pytest.mark.parametrize("read", [read_names, lambda p: list(pictures(p)), lambda p: compile_file(p).check()])
def test_a_device_without_end_is_an_error(read) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DarknetError, match=r"more than [0-9,]+ bytes are no"):
        read(ZERO)


@endless
def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No space left on device: '.*/new\.txt'"), replacing(tmp_path / "new.txt"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as write() does, which knows no name
    assert not [*tmp_path.iterdir()]


def test_weights_cannot_come_from_a_device(tiny_graph: Graph) -> None:
    with pytest.raises(DarknetError, match="/dev/zero: it is a device"):
        read_weights(ZERO, tiny_graph)


@pytest.fixture
def tiny_graph(tmp_path: Path) -> Graph:
    cfg = tmp_path / "tiny.cfg"
    cfg.write_text("[net]\nwidth=4\nheight=4\nchannels=1\n[convolutional]\n")
    return compile_file(cfg).graph


def test_a_folder_in_the_way_is_named_not_the_neighbour_written_first(tmp_path: Path) -> None:
    (tmp_path / "out.txt" / "full").mkdir(parents=True)
    with pytest.raises(DataError, match=f"cannot write {re.escape(str(tmp_path / 'out.txt'))}: it is a folder"):
        write_whole(tmp_path / "out.txt", b"whole")
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


def test_that_nothing_can_be_written_in_a_place_is_known_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    (tmp_path / "file").write_text("mine")
    check_output(tmp_path / "new" / "folders" / "out.txt")
    with pytest.raises(DataError, match=r"out.txt: .*file is a file, not a folder"):
        check_output(tmp_path / "file" / "below" / "out.txt")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match=r"out.txt: .*nowhere is a link that leads nowhere"):
        check_output(tmp_path / "nowhere" / "out.txt")
    check_output(tmp_path / "nowhere")  # the file that it leads to can be made
    (tmp_path / "far").symlink_to(tmp_path / "new" / "out.txt")
    with pytest.raises(DataError, match=r"far: it is a link to .*out.txt, and that folder is not there"):
        check_output(tmp_path / "far")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    for place in ("out.txt", "new/out.txt", "file"):
        with pytest.raises(DataError, match="nothing can be written into the folder"):
            check_output(tmp_path / place, replace=True)


@pytest.mark.skipif(os.name != "posix", reason="needs the rights of Unix")
def test_a_closed_folder_is_told_by_the_rights_of_the_process(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    own = os.geteuid()
    os.seteuid(own or NOBODY)  # root may write everywhere
    try:
        with pytest.raises(DataError, match="nothing can be written into the folder"):
            check_output(tmp_path / "out.txt")
    finally:
        os.seteuid(own)


def test_an_error_inside_the_block_keeps_its_own_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "out.txt"):
        (tmp_path / "other.txt").read_bytes()
    assert caught.value.filename == str(tmp_path / "other.txt")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(pipe, b"whole")
    assert os.read(reader, 9) == b"whole"
    os.close(reader)
    assert pipe.is_fifo()


# -- readers against what is no file ------------------------------------------------------------------------------

Reader = Callable[[Path], object]


def _weights(path: Path) -> object:
    cfg = "[net]\nwidth=4\nheight=4\nchannels=1\n[convolutional]\n"
    return read_weights(path, darknet_py.compile_cfg(cfg).graph)


def _data(path: Path) -> object:
    folder = Path(tempfile.mkdtemp())
    (folder / "a.data").write_text(f"names = {path}\n")
    return read_names(folder / "a.data")


READERS: dict[str, Reader] = {
    "cfg": lambda p: compile_file(p).check(), "network": find_network, "names": read_names, "data": _data,
    "tree": read_tree, "weights": _weights, "picture": lambda p: list(pictures(p)), "array": read_array,
    "onnx": read_onnx, "onnx session": open_file,
}  # fmt: skip


def _missing(folder: Path) -> Path:
    return folder / "missing"


def _folder(folder: Path) -> Path:
    (folder / "folder").mkdir()
    return folder / "folder"


def _loop(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def _socket(folder: Path) -> Path:
    previous = Path.cwd()
    os.chdir(folder)  # the name of a socket may have a hundred characters
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("socket")
    os.chdir(previous)
    return folder / "socket"


NOBODY = 65534

BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (_missing, "."), "folder": (_folder, "is a folder|no pictures|no file|no such file"),
    "loop": (_loop, "symbolic links|no file|no such file|no ONNX"),
    "too long": (lambda _: Path("a" * 5000), "too long|no file|no such file"),
    "NUL": (lambda _: Path("a\0b"), "characters|no file|no such file|no line names="), "pipe": (_pipe, "pipe|no file"),
    "socket": (_socket, "socket|no file|device or a pipe"),
}  # fmt: skip


@pytest.fixture
def alarm() -> Iterator[None]:
    """What hangs fails after ten seconds."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.fault("fifo-hang")
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes, links and sockets, as Unix has them")
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_one_error_for_every_reader(reader: str, bad: str, tmp_path: Path, alarm: None) -> None:
    make, message = BAD[bad]
    with pytest.raises(DarknetError, match=message) as caught:
        READERS[reader](make(tmp_path))
    assert len(str(caught.value)) < 8000


@pytest.mark.skipif(os.name != "posix", reason="needs the rights of Unix")
@pytest.mark.parametrize("reader", sorted({*READERS} - {"network", "data"}))
def test_what_may_not_be_read_is_an_error(reader: str, tmp_path: Path) -> None:
    with suppress(DarknetError):
        READERS[reader](tmp_path / "missing")  # whatever it imports, it imports now
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "secret").chmod(0)
    tmp_path.chmod(0o755)
    own = os.geteuid()
    os.seteuid(own or NOBODY)  # root may read everything
    try:
        with pytest.raises(DarknetError, match=r"chmod \+r|no file"):
            READERS[reader](tmp_path / "secret")
    finally:
        os.seteuid(own)


@pytest.mark.fault("fifo-hang")
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_that_lie_beside_a_cfg_are_passed_over(tmp_path: Path, alarm: None) -> None:
    cfg = write_detector(tmp_path)
    for name in ("a.names", "net.data", "b.data", "c.names.list"):
        os.mkfifo(tmp_path / name)
    assert find_names(2, cfg).origin.endswith("net.names")
    (tmp_path / "net.names").unlink()
    assert "numbers" in find_names(2, cfg).origin
    os.mkfifo(tmp_path / "net_best.weights")
    (tmp_path / "net.weights").unlink()
    with pytest.raises(DarknetError, match="no weights for"):
        load(cfg)


def test_a_data_file_cannot_lead_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.data").write_text("names = a.data\n")
    (tmp_path / "b.data").write_text("names = c.data\n")
    (tmp_path / "c.data").write_text("names = b.data\n")
    for name in ("a.data", "b.data"):
        with pytest.raises(DataError, match=r"is a \.data file, and is named in another one"):
            read_names(tmp_path / name)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_a_pipe_that_is_open_already_is_read(alarm: None) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n")
    os.close(theirs)
    assert len(compile_file(f"/dev/fd/{ours}").check().graph.layers) == 1
    os.close(ours)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_nobody_is_waited_for_who_does_not_write(alarm: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "SILENCE", 0.01)
    ours, theirs = os.pipe()
    with pytest.raises(DataError, match="nothing was written"):
        compile_file(f"/dev/fd/{ours}")
    os.close(ours)
    os.close(theirs)


# -- users' files are theirs --------------------------------------------------------------------------------------


def test_what_was_written_may_be_written_again(tmp_path: Path) -> None:
    for text in (b"one", b"two", b"two", b"three"):
        write_whole(tmp_path / "a.txt", text)
    assert (tmp_path / "a.txt").read_bytes() == b"three"
    assert len((tmp_path / LIST).read_text().splitlines()) == 3


@pytest.mark.parametrize("change", [b"mine", b"onE", b""])
def test_what_was_edited_since_is_the_users(tmp_path: Path, change: bytes) -> None:
    write_whole(tmp_path / "a.txt", b"one")
    (tmp_path / "a.txt").write_bytes(change)
    with pytest.raises(DataError, match="--replace"):
        write_whole(tmp_path / "a.txt", b"two")
    assert (tmp_path / "a.txt").read_bytes() == change
    write_whole(tmp_path / "a.txt", b"two", replace=True)
    write_whole(tmp_path / "a.txt", b"three")
    assert sorted(p.name for p in tmp_path.iterdir()) == [LIST, "a.txt"]


def test_writing_what_is_there_already_needs_no_permission_and_gives_none(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"theirs")
    before = path.stat()
    write_replacing(path, b"theirs")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    with pytest.raises(DataError, match="--replace"):
        write_replacing(path, b"others")
    assert path.read_bytes() == b"theirs"


def write_replacing(path: Path, data: bytes) -> None:
    with replacing(path) as file:
        file.write(data)


def test_what_was_moved_there_is_the_users(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", b"one")
    (tmp_path / "a.txt").rename(tmp_path / "kept.txt")
    with pytest.raises(DataError, match=r"kept\.txt exists"):
        write_whole(tmp_path / "kept.txt", b"two")


@pytest.mark.parametrize("text", ["", "no json\n", "[1]\n[]\n{}\n", '["a.txt", "x", 1]\n', '["a.txt", 3, "00"]', "["])
def test_a_damaged_list_makes_files_the_users(tmp_path: Path, text: str) -> None:
    write_whole(tmp_path / "a.txt", b"one")
    (tmp_path / LIST).unlink()
    (tmp_path / LIST).write_text(text)
    with pytest.raises(DataError, match="--replace"):
        write_whole(tmp_path / "a.txt", b"two")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_list_that_is_no_file_is_done_without(tmp_path: Path, alarm: None, make: Callable[[Path], None]) -> None:
    make(tmp_path / LIST)
    write_whole(tmp_path / "a.txt", b"one")
    assert (tmp_path / "a.txt").read_bytes() == b"one"


def test_two_processes_may_write_into_one_folder(tmp_path: Path) -> None:
    script = "import sys; from darknet_py.files import write_whole\n"
    script += "for i in range(50): write_whole(f'{sys.argv[1]}/{sys.argv[2]}{i}.txt', sys.argv[2].encode() * i)"
    run = [sys.executable, "-c", script, str(tmp_path)]
    processes = [subprocess.Popen([*run, name]) for name in ("a", "b")]
    assert [p.wait() for p in processes] == [0, 0]
    assert len((tmp_path / LIST).read_text().splitlines()) == 100
    assert all(files.is_own(tmp_path / f"{name}{i}.txt") for name in "ab" for i in range(50))


@pytest.mark.parametrize("link", ["the file", "hard link", "symbolic link", "another way"])
def test_what_was_read_in_a_run_is_never_written_in_it(tmp_path: Path, link: str) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, b"one")  # ours, which makes no difference
    other = {"the file": path, "another way": tmp_path / "x" / ".." / "a.txt"}.get(link, tmp_path / "link.txt")
    (tmp_path / "x").mkdir()
    if link == "hard link":
        os.link(path, other)
    if link == "symbolic link":
        other.symlink_to(path)
    with one_run():
        assert files.read_whole(path, 9, "text") == b"one"
        with pytest.raises(DataError, match="was read in this run"):
            write_whole(other, b"two", replace=True)
    assert path.read_bytes() == b"one"
    write_whole(path, b"two")


def test_what_a_symbolic_link_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "theirs" / "a.txt")
    write_whole(tmp_path / "link.txt", b"one")
    write_whole(tmp_path / "link.txt", b"two")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "theirs" / "a.txt").read_bytes() == b"two"
    (tmp_path / "theirs" / "a.txt").write_bytes(b"theirs")
    with pytest.raises(DataError, match="--replace"):
        write_whole(tmp_path / "link.txt", b"three")


def test_a_path_with_a_nul_cannot_be_written() -> None:
    with pytest.raises(DataError, match="characters"):
        write_whole("a\0b", b"")


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    return write_detector(tmp_path)


def _write_weights(graph: Graph, path: Path, replace: bool) -> None:
    write_weights(path, graph, random_weights(graph, 0), replace=replace)


WRITERS: dict[str, Callable[[Path, Path, bool], object]] = {
    "weights": lambda cfg, path, replace: _write_weights(compile_file(cfg).graph, path, replace),
    "onnx": lambda cfg, path, replace: export_onnx(cfg, path, replace=replace),
    "Model.export": lambda cfg, path, replace: load(cfg).export(path, "onnx", replace=replace),
    "Results.save": lambda cfg, path, replace: load(cfg)(picture())[0].save(path, replace=replace),
    "Results.save_txt": lambda cfg, path, replace: load(cfg)(picture())[0].save_txt(path, replace=replace),
    "npz": lambda cfg, path, replace: write_npz(path, {"L000": np.zeros(3)}, replace=replace),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_every_writer_keeps_to_the_rule(detector: Path, tmp_path: Path, writer: str) -> None:
    path, write = tmp_path / "out.png", WRITERS[writer]
    path.write_bytes(b"precious")
    with pytest.raises(DataError, match="--replace"):
        write(detector, path, False)
    assert path.read_bytes() == b"precious"
    write(detector, path, True)
    write(detector, path, False)
    assert path.read_bytes() != b"precious"


def test_a_plot_keeps_to_the_rule(detector: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'darknet-compiler[plot]'")
    from darknet_py.analysis.plot import plot

    path, graphs = tmp_path / "out.svg", {"$\\x $ \x1b": compile_file(detector).graph}
    path.write_bytes(b"precious")
    with pytest.raises(DataError, match="--replace"):
        plot(graphs, path)
    plot(graphs, path, replace=True)
    plot(graphs, path)
    assert b"\x1b" not in path.read_bytes()


@pytest.mark.fault("photo-overwritten")
def test_a_drawing_is_not_saved_over_its_picture(detector: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture((1, 2, "red")))
    before = (tmp_path / "a.png").read_bytes()
    results = load(detector)(tmp_path / "a.png")[0]
    for replace in (False, True):
        with pytest.raises(DataError, match="was read"):
            results.save(tmp_path / "a.png", replace=replace)
    assert (tmp_path / "a.png").read_bytes() == before


@pytest.mark.fault("output-over-input")
def test_a_network_is_not_exported_over_its_own_files(detector: Path) -> None:
    for path in (detector, detector.with_suffix(".weights"), detector.with_suffix(".names")):
        before = path.read_bytes()
        with pytest.raises(DataError, match="was read"):
            export_onnx(detector, path, names=detector.with_suffix(".names"), replace=True)
        assert path.read_bytes() == before


def test_the_second_file_of_an_export_is_the_users_unless_the_model_is_ours(tmp_path: Path) -> None:
    cfg = tmp_path / "wide.cfg"
    cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[connected]\noutput=64\n")
    network = open_network(cfg, random=0)
    data = tmp_path / "net.onnx.data"
    data.write_bytes(b"precious")
    with pytest.raises(DataError, match=r"net\.onnx\.data exists"):
        export_onnx(network, tmp_path / "net.onnx", external=True)
    data.unlink()
    export_onnx(network, tmp_path / "net.onnx")
    for _ in range(2):
        export_onnx(network, tmp_path / "net.onnx", external=True)
    assert data.read_bytes() != b"precious"


# -- what a kill leaves -------------------------------------------------------------------------------------------


@pytest.mark.fault("temp-left-after-kill")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_a_killed_process_left_is_removed_by_the_next_write(
    detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "SWEEP_SHARE", 0)  # look for what was left at once
    script = "import sys, time; from darknet_py.files import replacing, scratch\n"
    script += "with scratch(sys.argv[1]) as folder, replacing(sys.argv[1] + '/a.txt') as file:\n"
    script += "    (folder / 'big').write_bytes(b'1'); print('.', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    export_onnx(detector, tmp_path / "net.onnx")
    assert len(list(tmp_path.glob(".darknet-py.*.*"))) == 2  # it lives
    process.kill()
    process.wait()
    process.stdout.close()
    export_onnx(detector, tmp_path / "net.onnx")
    assert not list(tmp_path.glob(".darknet-py.*.*"))


def test_hidden_files_of_others_are_not_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "SWEEP_SHARE", 0)  # look for what was left at once
    names = (
        ".bashrc.1",
        f".darknet-py.{host()}",
        f".darknet-py.{host()}.99999999.old",
        ".darknet-py.12345678.1.abcdef01",
    )
    for name in names:
        (tmp_path / name).write_text("mine")
    write_whole(tmp_path / "a.txt", b"")
    assert all((tmp_path / name).exists() for name in names)
    os.utime(tmp_path / names[-1], (0, 0))  # of another machine, and forgotten
    write_whole(tmp_path / "a.txt", b"")
    assert [(tmp_path / name).exists() for name in names] == [True, True, True, False]


def test_threads_that_write_the_same_file_do_not_meet(tmp_path: Path) -> None:
    threads = [threading.Thread(target=lambda i=i: _write_often(tmp_path, i)) for i in range(4)]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set((tmp_path / "a.txt").read_bytes())) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [LIST, "a.txt"]


def _write_often(folder: Path, digit: int) -> None:
    for _ in range(20):
        write_whole(folder / "a.txt", str(digit).encode() * 1000, replace=True)


def test_a_scratch_folder_vanishes_with_its_block(tmp_path: Path) -> None:
    with suppress(KeyboardInterrupt), scratch(tmp_path) as folder:
        (folder / "a").write_text("half")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_process_that_is_gone_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert is_alive(os.getpid())
    assert not is_alive(process.pid)
    assert not is_alive(1 << 60)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of processes that have ended")
def test_a_process_that_has_ended_is_not_alive_though_nobody_asked_how() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.read()  # until it ends
    end = time.monotonic() + 10
    while is_alive(process.pid):
        assert time.monotonic() < end
        time.sleep(0.001)
    process.communicate()


def test_nothing_is_checked_twice_where_nothing_is(tmp_path: Path) -> None:
    check_output(tmp_path / "none" / "a.txt")
    assert not list(tmp_path.iterdir())


# -- one place ----------------------------------------------------------------------------------------------------

PACKAGE = Path(darknet_py.__file__).parent
WRITING = frozenset(
    "write_text write_bytes imwrite savefig tofile save savez savez_compressed save_model rename mkstemp mkdtemp "
    "TemporaryDirectory NamedTemporaryFile copyfile copy2 copytree move symlink_to hardlink_to touch fdopen".split()
)
READING = frozenset("read_text read_bytes fromfile memmap imread open".split())
LOADERS = {"np.load", "onnx.load", "json.load", "pickle.load"}

# Who opens files without `files`, and why he may. Everything else goes through it.
ALLOWED = {
    "analysis/dump.py np.load": "of a file that `reading` opened", "analysis/dump.py np.savez": "into `replacing`",
    "analysis/plot.py figure.savefig": "into `replacing`",
    "apps/bench/process.py os.fdopen": "its own stdout", "apps/bench/process.py log.open": "into `scratch`",
    "apps/bench/process.py self._log.read_text": "from `scratch`", "apps/bench/process.py status.read_text": "of /proc",
    "apps/bench/profile.py Path(traces[-1].end_profiling()).read_text": "from `scratch`",
    "apps/bench/race.py np.load": "from `scratch`", "apps/bench/run.py np.save": "into `scratch`",
    "apps/bench/run.py np.load": "from `scratch`", "apps/bench/worker.py np.savez": "into `scratch`",
    "apps/bench/worker.py np.load": "from `scratch`",
    "backends/onnx_reference.py onnx.load": "after `check_file`: it looks for a second file itself",
    "backends/onnxruntime/blocked.py onnx.load": "from `scratch`",
    "backends/opencv/session.py onnx.load": "after `check_file`: it looks for a second file itself",
    "backends/torch/file.py torch.jit.save": "into `placing`", "backends/torch/file.py torch.export.save": "the same",
    "backends/openvino/file.py ov.save_model": "into `placing`",
    "model/archives.py archive.open": "of a file that `reading` opened",
    "model/formats/litert.py place.write_bytes": "into `placing`",
    "model/formats/openvino.py exported.save": "into `placing`",
    "model/formats/triton.py exported.save": "`put`",
    "model/formats/ncnn.py place.write_text": "into `placing`",
    "model/formats/ncnn.py place.with_suffix('.bin').open": "into `placing`",
    "model/formats/ncnn.py place.with_suffix(TOLD).write_text": "into `placing`",
    "apps/serve/app.py (PAGE / name).read_bytes": "our page",
    "page/__init__.py (FOLDER / name).read_bytes": "our page",
    "model/formats/coreml.py save": "into `scratch`", "coreml/package.py model.save": "into that `scratch`",
    "cli/registry.py path.read_text": "of installed packages", "apps/run/sinks.py results.save": "`write_whole`",
    "darknet/cfg/parser.py Lark.open": "our grammar",
    "machine.py info.read_text": "of /proc",
    "machine.py Path(f'/proc/{process}/stat').read_text": "of /proc",
    "model/cache.py folder.rename": "in the cache", "model/export.py exported.save": "`put`",
    "model/kept.py (folder / FILE).write_text": "into the cache",
    "model/kept.py (folder / FILE).read_text": "of the cache",
    "onnx/export.py onnx.save_model": "into `scratch`", "onnx/export.py written.open": "into `scratch`",
    "onnx/metadata.py onnx.load": "of a file that `reading` opened", "onnx/stream.py onnx.save_model": "into `scratch`",
    "vision/video/av.py av.open": "into `scratch`, and after `check_file`",
    "vision/video/writer.py os.open": "/dev/null",
    "zoo/installed.py path.read_text": "our cfgs",
    "zoo/models.py Path(__file__).with_name('zoo.toml').read_text": "our list",

    "apps/batch/addresses.py store.open": "an address", "apps/batch/child.py os.fdopen": "its own stdout",
    "apps/batch/listing.py files[-1].open": "into `scratch`", "apps/batch/listing.py path.open": "from `scratch`",
    "apps/batch/listing.py tarfile.open": "of a file that `reading` opened",
    "apps/batch/manifest.py (folder / 'shards').open": "into `scratch`",
    "apps/batch/manifest.py place.open": "`reading`", "apps/batch/output.py (folder / name).open": "into `scratch`",
    "analysis/chart.py figure.savefig": "into memory", "apps/train/snapshot.py torch.save": "into memory",
    "apps/evaluate/run.py record.open": "into the cache",
    "analysis/evaluate/record.py np.load": "of the cache", "analysis/evaluate/record.py np.save": "into the cache",
    "analysis/evaluate/record.py path.open": "of the cache", "cli/detector.py found.save": "`write_whole`",
    "darknet/ledger.py np.fromfile": "of a file that `reading` opened",
    "darknet/weights.py np.fromfile": "of a file that `reading` opened",
    "holding/hashes.py path.open": "to hash what is opened again to be read",
    "model/cache.py (folder / CHECKSUMS).write_text": "into the cache",
    "vision/lettering.py font.path.open": "the system's fonts", "vision/lettering.py path.open": "the system's fonts",
    "vision/web.py _opener().open": "an address",
    "zoo/checkpoints.py Path(__file__).with_name('checkpoints.toml').read_text": "our list",
    "zoo/shipped.py Path(__file__).with_name('shipped.toml').read_text": "our list",
    "zoo/find.py cfg.read_text": "our cfgs", "zoo/models.py opened.open": "a member of a package",
    "zoo/transfer.py part.open": "into the cache", "zoo/transfer.py part.read_bytes": "of the cache",
}  # fmt: skip


OPENERS = ("listed", "opening", "writing")  # of `files`


def opened() -> Iterator[str]:
    """Each way in which a file of the package, but those of `files`, opens a file: where, and how."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.parent == PACKAGE / "files" and path.stem in OPENERS:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name.rpartition(".")[2] in WRITING | READING or name in LOADERS:
                    yield f"{path.relative_to(PACKAGE).as_posix()} {name}"


def test_only_one_room_opens_the_users_files() -> None:
    found = set(opened())
    assert found - set(ALLOWED) == set(), "open it with darknet_py.files, or say here why not"
    assert set(ALLOWED) - found == set(), "which is not there any more"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc, whose files say that they are empty")
def test_a_file_that_says_no_size_is_read_whole() -> None:
    path = Path("/proc/self/mounts")
    assert read_at_most(path, 1 << 20) == path.read_bytes()
    assert read_at_most(path, 5) == path.read_bytes()[:5]
