"""A progress bar on stderr, where that is a terminal."""

from __future__ import annotations

from typing import Any

import click


class Progress:
    """Called with how many are done, and of how many."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._done = 0

    def __enter__(self) -> Any:
        return self._show

    def _show(self, done: int, count: int) -> None:
        import sys

        if not sys.stderr.isatty():
            return
        if self._bar is None:
            self._bar = click.progressbar(length=count, label="pictures", file=sys.stderr, show_pos=True)
        self._bar.update(done - self._done)
        self._done = done

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()
