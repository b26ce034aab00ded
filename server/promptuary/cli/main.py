"""The command `promptuary`: its subcommands, and the translation of every error into one line and an exit code."""

import gc
import os
import sys
from typing import Annotated

import typer

from promptuary.cli.commands import CommandGroup
from promptuary.cli.evaluation.interruption import EXIT_INTERRUPTED, RunInterrupted
from promptuary.cli.output import EXIT_INFRASTRUCTURE, EXIT_USAGE, print_notice, report_error
from promptuary.prompt.errors import PromptuaryError
from promptuary.release import __version__

COLLECT_EVERY = 20_000
"""Objects allocated between garbage collections: collecting took a sixth of the import time of a command."""
app = typer.Typer(
    name="promptuary",
    cls=CommandGroup,
    help="A prompt registry and evaluation service. Calls the server at PROMPTUARY_URL if set, else uses PROMPTUARY_DATA_DIR.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"promptuary {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Define the options of the command itself."""


def main() -> None:
    """Run a command; exit 64 for bad usage or a bad file, 3 where a service that it needs does not answer."""
    gc.set_threshold(COLLECT_EVERY)
    try:
        code = app(standalone_mode=False)
    except PromptuaryError as error:
        code = report_error(error)
    except (typer.Abort, RunInterrupted):
        code = EXIT_INTERRUPTED
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        # The reader closed the pipe. Typer and rich exit with 1 then, which is a verdict; shells use 141.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except OSError as error:
        print_notice(f"promptuary: {error.strerror}: {error.filename or ''}".rstrip(": "))
        code = EXIT_INFRASTRUCTURE
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        if message := error.format_message():  # empty where the help was printed instead
            print_notice(f"promptuary: {message}")
        code = EXIT_USAGE
    sys.exit(code)


if __name__ == "__main__":
    main()
