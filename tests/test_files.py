"""Files: what has no end is not read to it, and what cannot be written is named as the user named it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import read_weights
from darknet_py.errors import DarknetError
from darknet_py.files import replacing, write_whole
from darknet_py.ir import Graph
from darknet_py.vision.sources import pictures
from darknet_py.zoo.names import read_names

ZERO = Path("/dev/zero")
endless = pytest.mark.skipif(not ZERO.exists(), reason="needs /dev/zero, as Linux and macOS have it")


@endless
@pytest.mark.parametrize("read", [read_names, lambda p: list(pictures(p)), lambda p: compile_file(p).check()])
def test_a_device_without_end_is_an_error(read) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DarknetError, match=r"more than [0-9,]+ bytes are no"):
        read(ZERO)


@endless
def test_weights_cannot_come_from_a_device(tiny_graph: Graph) -> None:
    with pytest.raises(DarknetError, match="/dev/zero is a device or a pipe"):
        read_weights(ZERO, tiny_graph)


@pytest.fixture
def tiny_graph(tmp_path: Path) -> Graph:
    cfg = tmp_path / "tiny.cfg"
    cfg.write_text("[net]\nwidth=4\nheight=4\nchannels=1\n[convolutional]\n")
    return compile_file(cfg).graph


def test_a_folder_in_the_way_is_named_not_the_neighbour_written_first(tmp_path: Path) -> None:
    (tmp_path / "out.txt" / "full").mkdir(parents=True)
    with pytest.raises(OSError) as caught:
        write_whole(tmp_path / "out.txt", b"whole")
    assert caught.value.filename == str(tmp_path / "out.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


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
