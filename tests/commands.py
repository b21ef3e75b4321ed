"""The command line for tests, run in this process."""

from __future__ import annotations

from typing import Any

from click.testing import CliRunner, Result

from darknet_py.cli import main


def invoke(*words: object, **given: Any) -> Result:
    """`darknet-py WORDS`, and what came of it; an exception fails the test."""
    result = CliRunner().invoke(main, [str(word) for word in words], prog_name="darknet-py", **given)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result


def said(*words: object, fails: bool = False) -> str:
    """What `darknet-py WORDS` prints, on stdout and stderr; that it ends well, or with an error, is asserted."""
    result = invoke(*words)
    assert (result.exit_code != 0) == fails, result.output
    return result.output
