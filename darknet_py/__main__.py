"""The program: `darknet-py`, and `python -m darknet_py`."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from .cli import main


def program() -> NoReturn:
    """Run the command line, and end the process at once.

    To take down modules and the threads of engines one by one takes 30 ms, as long as a small network takes to load and
    run; nothing is left to do by then but to write out what has been printed.
    """
    try:
        sys.exit(main(prog_name="darknet-py"))
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else int(e.code is not None)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # as it is where the shell has closed it
                stream.flush()
    except OSError as e:
        print(f"error: {e.strerror}", file=sys.stderr)
        code = 1
    os._exit(code)


if __name__ == "__main__":
    program()
