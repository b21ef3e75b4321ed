"""Lines for people on a terminal: what stays takes the place of what was only for the moment."""

from __future__ import annotations

import pytest

from darknet_py.cli.options import message, overwrite


def test_a_message_takes_the_place_of_a_line_that_changes(capsys: pytest.CaptureFixture[str]) -> None:
    overwrite("3 of 4")
    message("done")
    message("and more")
    assert capsys.readouterr().err == "\r3 of 4\rdone\nand more\n", "click leaves out what only a terminal understands"
