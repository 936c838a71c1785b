"""``autotuner``: the entry, the table of commands, and what happens to errors."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Any, Literal, Never, overload

import click

from autotuner.cli.failures import DONE, INTERNAL, INTERRUPTED, REFUSED, excepthook, show_error, show_usage_error
from autotuner.cli.lazy import Lazy, LazyGroup
from autotuner.cli.state import State, shared_options
from autotuner.contracts.errors import AutotunerError

_IN = "autotuner.cli.commands"
TUNE, READ, SERVE, SET_UP = "Tune", "Read what was measured", "Serve", "Set up and look after"

COMMANDS = {
    "run": Lazy(f"{_IN}.run:run", TUNE, "Run a task, or go on with it."),
    "plan": Lazy(f"{_IN}.plan:plan", TUNE, "Show what a task would do, and start nothing."),
    "quick": Lazy(f"{_IN}.quick:quick", TUNE, "Tune a model without a task file."),
    "demo": Lazy(f"{_IN}.quick:demo", TUNE, "See a whole search over predicted figures, in seconds."),
    "profile": Lazy(f"{_IN}.profile:profile", TUNE, "List profiles, and show what they set."),
    "preset": Lazy(f"{_IN}.preset:preset", TUNE, "Keep sets of parameter values, and merge them."),
    "attach": Lazy(f"{_IN}.attach:attach", TUNE, "Watch a task that runs elsewhere."),
    "import": Lazy(f"{_IN}.import_file:import_file", TUNE, "Make a task of an archive, or of aiconfigurator's file."),
    "task": Lazy(f"{_IN}.task:task", READ, "List, show, pause, cancel, start and delete tasks."),
    "results": Lazy(f"{_IN}.results:results", READ, "Show the result of a task."),
    "compare": Lazy(f"{_IN}.results:compare", READ, "Show experiments side by side."),
    "logs": Lazy(f"{_IN}.logs:logs", READ, "Show the logs of the servers that a task started."),
    "report": Lazy(f"{_IN}.report:report", READ, "Write a task's report: HTML, JSON, CSV or grid."),
    "verify": Lazy(f"{_IN}.verify:verify", READ, "Measure a winner again, with another client beside."),
    "export": Lazy(f"{_IN}.export:export", READ, "Write a task as a file of its own."),
    "deploy": Lazy(f"{_IN}.deploy:deploy", READ, "Write the files that start the winner."),
    "serve": Lazy(f"{_IN}.serve:serve", SERVE, "Serve the API and the page, and run queued tasks."),
    "worker": Lazy(f"{_IN}.worker:worker", SERVE, "Run the tasks that are queued."),
    "token": Lazy(f"{_IN}.serve:token", SERVE, "Print the token of the service."),
    "client": Lazy(f"{_IN}.client:client", SET_UP, "Install and list benchmark clients."),
    "model": Lazy(f"{_IN}.model:model", SET_UP, "Make small models; show what a model needs on GPUs."),
    "engine": Lazy(f"{_IN}.engine:engine", SET_UP, "List the engines and their parameters."),
    "schema": Lazy(f"{_IN}.schema:schema", SET_UP, "Print the JSON Schema of task files."),
    "doctor": Lazy(f"{_IN}.doctor:doctor", SET_UP, "Tell what this machine can run, and why not."),
    "db": Lazy(f"{_IN}.db:db", SET_UP, "Upgrade, back up, move and check the database."),
    "mock-server": Lazy(f"{_IN}.mock_server:mock_server", SET_UP, "Start a pretended inference server."),
    "completion": Lazy(f"{_IN}.completion:completion", SET_UP, "Print the completion script of a shell."),
}


class Root(LazyGroup):
    """The whole command line: turns errors into sentences and exit codes."""

    @overload
    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: Literal[True] = True,
        **extra: Any,
    ) -> Never: ...

    @overload
    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = ...,
        **extra: Any,
    ) -> Any: ...

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line (default: this process's) and exit with its code; without ``standalone_mode`` return it.

        Errors that nobody expected are raised.
        """
        words = list(sys.argv[1:] if args is None else args)
        code = self._code(words, prog_name, complete_var, extra)
        if standalone_mode:
            sys.exit(code)
        return code

    def _code(self, words: list[str], prog_name: str | None, complete_var: str | None, extra: dict[str, Any]) -> int:
        state = State(json="--json" in words, debug="--debug" in words)
        try:
            ended = super().main(words, prog_name, complete_var, standalone_mode=False, obj=state, **extra)
            sys.stdout.flush()
        except AutotunerError as error:
            if state.debug:
                sys.__excepthook__(type(error), error, error.__traceback__)
            show_error(error, as_json=state.json)
            return REFUSED
        except click.Abort:
            click.echo("Interrupted.", err=True)
            return INTERRUPTED
        except click.ClickException as error:
            show_usage_error(error, as_json=state.json)
            return REFUSED
        except OSError as error:
            if error.errno != errno.EPIPE:
                raise
            # Whoever read our output went away (`| head`): nothing is wrong, and nothing more is written.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return INTERNAL
        return ended if isinstance(ended, int) else DONE


def _version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"autotuner {version('inference-autotuner')}")
        ctx.exit()


@click.group(
    cls=Root,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done · 1 internal error · 2 it could not be done, and the message says why · "
    "130 interrupted or cancelled (Ctrl-C, SIGTERM, `task cancel`).",
)
@shared_options(hidden=False)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
def cli() -> None:
    """Find the launch configuration that serves an LLM best on this hardware.

    It starts the server for real, loads it, searches, and hands over the winner with evidence.

    First steps: `autotuner doctor`, `autotuner demo`, `autotuner quick MODEL`, `autotuner run TASK.yaml`.
    """


def main() -> None:
    """The entry of the program ``autotuner``."""
    words = sys.argv[1:]
    sys.excepthook = excepthook(debug="--debug" in words, as_json="--json" in words)
    cli.main(prog_name="autotuner")
