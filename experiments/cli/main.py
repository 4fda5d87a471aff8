"""`recsweep`: every command, and how each kind of failure ends.

Modules that a command needs are imported inside it: `recsweep --help` must answer at once.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli import (
    bundles,
    completing,
    data,
    judging,
    looking,
    making,
    mending,
    models,
)
from experiments.errors import RecsweepError
from experiments.waiting import waits_told

app = typer.Typer(
    name="recsweep",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Hyperparameter experiments for recommender ranking models.",
    epilog="Start with: recsweep run quickstart",
)
data.add_init_to(app)
making.add_to(app)
looking.add_to(app)
models.add_to(app)
data.add_to(app)
judging.add_to(app)
mending.add_to(app)
bundles.add_to(app)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    if debug:
        os.environ["RECSWEEP_DEBUG"] = "1"


def main() -> None:
    """Entry point. Exit codes: 0 done, 2 request, 3 data, 4 state, 5 disk, 6 no result, 7 cluster,
    8 port, 130 and 143 signals, 1 a bug of ours."""
    # Imports make what stays: to look for garbage in it often takes a tenth of a command's start.
    gc.set_threshold(50_000)
    _open_closed_streams()
    _tell_in_any_locale()
    try:
        if os.environ.get(completing.COMPLETION) == "complete_bash":
            completing.complete_for_bash(app, os.environ)
        else:
            with waits_told(_progress):
                app()
    except RecsweepError as error:
        if os.environ.get("RECSWEEP_DEBUG"):
            traceback.print_exc()
        else:
            print(error.message, file=sys.stderr)  # noqa: T201  # the one place where errors are said
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit as end:
        # Typer's word for a closed pipe is 1. Whoever read our output has had enough of it.
        if isinstance(end.__context__, BrokenPipeError):
            sys.exit(0)
        raise
    except OSError as error:
        from experiments.files import is_denied, is_disk_error

        if os.environ.get("RECSWEEP_DEBUG") or not (is_disk_error(error) or is_denied(error)):
            raise
        place = error.filename or "standard output"
        print(f"{error.strerror}: {place}", file=sys.stderr)  # noqa: T201
        sys.exit(5)
    finally:
        if (cluster := sys.modules.get("experiments.machine.cluster")) is not None:
            # All is said and written: for a second more a signal changes nothing.
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            cluster.await_ends()
            signal.signal(signal.SIGINT, before)


def _progress(line: str) -> None:
    typer.echo(line, err=True)


def _open_closed_streams() -> None:
    """A daemon may start us without. Ray needs all, and the next file would get their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # it stays open


def _tell_in_any_locale() -> None:
    """What it has no letters for, a terminal shows as `?`; files and pipes get UTF-8, in which
    sweeps are read, whatever the locale."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="replace")


if __name__ == "__main__":
    main()
