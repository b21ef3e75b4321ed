"""The command line: `darknet-py COMMAND`, each command in its own file and thin, over a public function.

Which commands there are, `registry` says; adding one is one new file.

Decision: data goes to stdout, messages to stderr; exit 0 is success, 1 a failure told in one message, 2 wrong usage.
Whatever is heavy is imported inside a command, so help is instant.
"""

from __future__ import annotations

import signal
from itertools import groupby
from typing import Any

import click

from ..errors import DarknetError, WeightsMissing, printable
from ..version import VERSION
from . import registry

SIGNALLED = 128  # and the number of the signal: what a shell says of a program that a signal has ended


class Failure(click.ClickException):
    """An error that is already written for the user."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        """Print the message as it is."""
        told = printable(self.message)
        whole = told.lstrip().startswith("error") or ": error[" in told
        click.echo(told if whole else f"error: {told}", file=file, err=file is None)


def stop_status(stop: KeyboardInterrupt) -> int:
    """The exit status that a shell expects of what a signal has ended: 130 after Ctrl-C, 143 after SIGTERM.

    >>> stop_status(KeyboardInterrupt()), stop_status(KeyboardInterrupt(15))
    (130, 143)
    """
    return SIGNALLED + (stop.args[0] if stop.args and isinstance(stop.args[0], int) else signal.SIGINT)


class Commands(click.Group):
    """A group that imports a command when it is named, and turns the package's errors into messages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the help text."""
        return [entry.name for entry in registry.list_commands() if entry.section != registry.UNUSABLE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called `cmd_name`; None if there is none."""
        entry = registry.find_command(cmd_name)
        command = registry.load_command(entry) if entry else None
        if command and ctx.resilient_parsing:  # a shell asks how a line goes on
            from .completion import complete_arguments

            complete_arguments(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in the help text, section by section; none is imported."""
        for section, entries in groupby(registry.list_commands(), key=lambda entry: entry.section):
            with formatter.section(section):
                formatter.write_dl([(entry.name, entry.help) for entry in entries])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with; an unknown one is an error with the closest name."""
        if args[0].startswith("-") or ((command := self.get_command(ctx, args[0])) is None and ctx.resilient_parsing):
            return super().resolve_command(ctx, args)
        if command:
            if _may_be_foreign(command, args[1:]):
                from .words import check_options

                check_options(command, args[1:])
            return args[0], command, args[1:]
        from ..spelling import did_you_mean
        from .words import explain_command

        names = self.list_commands(ctx)
        if said := explain_command(args, names):
            raise click.UsageError(said, ctx)
        hint = did_you_mean(args[0], names) or f"commands are {', '.join(names)}"
        raise click.UsageError(f"no command {args[0]!r}; {hint}", ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of this package, or of a file, is one message and exit status 1."""
        from ..files import one_run
        from .options import own_warnings

        try:
            with one_run(), own_warnings():
                return super().invoke(ctx)
        except KeyboardInterrupt as e:
            click.echo("stopped", err=True)
            ctx.exit(stop_status(e))
        except click.UsageError as e:
            raise click.UsageError(printable(e.format_message()), e.ctx) from e
        except WeightsMissing as e:
            from .options import is_verbose

            looked = "".join(f"\n  looked at {place}" for place in e.places) if is_verbose(ctx) else ""
            raise Failure(f"{e}{looked}") from e
        except DarknetError as e:
            raise Failure(str(e)) from e
        except BrokenPipeError:
            raise
        except OSError as e:
            raise Failure(f"{e.filename}: {e.strerror}" if e.filename and e.strerror else e.strerror or str(e)) from e
        except ModuleNotFoundError as e:
            entry = registry.find_command(ctx.invoked_subcommand or "")
            lacking = registry.missing(entry, e) if entry else None
            if lacking is None:
                raise
            raise Failure(str(lacking)) from e
        except MemoryError as e:
            raise Failure(f"not enough memory{': ' if str(e) else ''}{e}") from e


def _may_be_foreign(command: click.Command, args: list[str]) -> bool:
    """Whether something may be another program's: only then their table is read, which takes its time."""
    own = {spelling for p in command.params for spelling in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}
    return any("=" in a or a.endswith(".weights") or (a.startswith("-") and a not in own) for a in args)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, "-V", "--version", prog_name="darknet-py")
def main() -> None:
    """Run, train, check, convert and inspect Darknet networks.

    Others' command lines are understood as far as they say which network and which pictures: Darknet's own run as they
    are, and the words of other programs are answered with the ones here.

    \b
    darknet-py run yolov4-tiny dog.jpg
    darknet-py export my.cfg -w my.weights -o my.onnx
    darknet-py detector test obj.data my.cfg my.weights dog.jpg -thresh 0.3 -ext_output
    """
