"""A server started for a measurement, what its process takes, and the page where what was measured is written down."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from tools import markdown

PAGE = Path(__file__).with_name("SERVING.md")
TITLE = "# The server, measured\n\n`make serve-load`, `make serve-hostile` and `make serve-stops` write this page.\n"
TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Started:
    """A server: its process and its port on this machine."""

    process: subprocess.Popen[str]
    port: int

    @property
    def memory(self) -> float:
        """What it has in memory, in MB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) / 1024

    @property
    def seconds(self) -> float:
        """The processor time that it has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    @property
    def open_files(self) -> int:
        """How many files and connections it has open; -1 where that is not told."""
        try:
            return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))
        except PermissionError:
            return -1


@contextmanager
def started(*arguments: str) -> Iterator[Started]:
    """`darknet-py serve ARGUMENTS`, without lines about requests, until the block ends.

    Raises `RuntimeError` if it told of a fault of its own meanwhile, whatever its answers were.
    """
    command = [sys.executable, "-m", "darknet_py", "serve", *arguments, "--port", "0", "--quiet"]
    with TemporaryFile("w+") as told:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, text=True)
        assert process.stdout
        try:
            yield Started(process, int(process.stdout.readline().rpartition(":")[2]))
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
            told.seek(0)
            said = told.read()
            sys.stderr.write(said)
        if faults := said.count("Traceback (most recent call last)"):
            raise RuntimeError(f"the server told of {faults} faults of its own")


def write_section(title: str, text: str) -> None:
    """Write a section of the page in the place of the one with its title."""
    markdown.write_section(PAGE, TITLE, title, text)
