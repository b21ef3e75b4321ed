"""The program: `darknet-py`, and `python -m darknet_py`.

Decision: what belongs to a process and to no command is here: how it ends (signals, a closed pipe), and that whatever
is printed can be encoded. Messages are escaped where they are printed (`errors.printable`), in any terminal.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

ENDING = ("SIGTERM", "SIGHUP")  # as Ctrl-C does: what was found is kept, what is half written vanishes


def program() -> NoReturn:
    """Run the command line, and end the process at once.

    To take down modules and the threads of engines one by one takes 30 ms, as long as a small network takes to load and
    run; nothing is left to do by then but to write out what has been printed.
    """
    try:
        code = _run()
    except KeyboardInterrupt as e:  # before the command began, or while it was ending
        code = 128 + (e.args[0] if e.args else signal.SIGINT)
    except BrokenPipeError:
        code = 1
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # as it is where the shell has closed it
                stream.flush()
    except BrokenPipeError:  # `| head` has what it wanted
        code = code or 1
    except OSError as e:
        with suppress(OSError):
            print(f"error: {e.strerror}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    os._exit(code)


def _run() -> int:
    for name in ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one
            signal.signal(number, _stop)
    for stream in (sys.stdout, sys.stderr):
        # Names have letters that the encoding of a terminal, or of a pipe on Windows, may lack.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    from .cli import main

    try:
        main(prog_name="darknet-py")
    except SystemExit as e:
        return e.code if isinstance(e.code, int) else int(e.code is not None)
    return 0


def _stop(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # who asks twice does not want to wait
    raise KeyboardInterrupt(number)


if __name__ == "__main__":
    program()
