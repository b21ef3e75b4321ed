"""The command line: `darknet-py COMMAND`, each command in its own file and thin, over a public function.

Decision: data goes to stdout, messages to stderr; exit 0 is success, 1 a failure told in one message, 2 wrong usage.
Whatever is heavy is imported inside a command, so help is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from ..errors import DarknetError
from ..version import VERSION

COMMANDS = (
    "run", "lint", "explain", "summary", "diff", "graph", "plot", "view", "export",
    "verify", "bench", "dump", "weights", "cut", "models", "download",
)  # fmt: skip


class Failure(click.ClickException):
    """An error that is already written for the user."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        """Print the message as it is."""
        text = self.message if self.message.lstrip().startswith("error") or ": error[" in self.message else ""
        click.echo(text or f"error: {self.message}", file=file, err=file is None)


class Commands(click.Group):
    """A group that imports a command when it is named, and turns the package's errors into messages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the help text."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called `cmd_name`."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with; an unknown one is an error with the closest name."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from ..errors import did_you_mean

            hint = did_you_mean(args[0], COMMANDS) or f"commands are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of this package, or of a file, is one message and exit status 1."""
        try:
            return super().invoke(ctx)
        except DarknetError as e:
            raise Failure(str(e)) from e
        except BrokenPipeError:
            raise
        except OSError as e:
            raise Failure(f"{e.filename}: {e.strerror}" if e.filename and e.strerror else e.strerror or str(e)) from e
        except MemoryError as e:
            raise Failure(f"not enough memory{': ' if str(e) else ''}{e}") from e


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, "-V", "--version", prog_name="darknet-py")
def main() -> None:
    """Run, check, convert and inspect Darknet networks.

    \b
    darknet-py run yolov4-tiny dog.jpg
    darknet-py export my.cfg -w my.weights -o my.onnx
    """
