"""``autotuner mock-server``."""

from __future__ import annotations

import click


@click.command(
    name="mock-server",
    short_help="Start a pretended inference server.",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    add_help_option=False,
)
@click.help_option("-h", "--help", help="Show this text; `autotuner mock-server -- --help` lists the options.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def mock_server(ctx: click.Context, options: tuple[str, ...]) -> None:
    """Start an OpenAI-compatible server on loopback with known timing and faults, to try a client or a task on.

    \b
    Examples:
      autotuner mock-server --port 8000 --ttft-s 0.05 --token-s 0.01
      autotuner mock-server --fault error_500 --fault-every 10
      autotuner mock-server -- --help

    Prints one line of JSON with its address, then serves until Ctrl-C.

    Exit codes: 0, or 2 for an impossible option.
    """
    from autotuner.mock_server.__main__ import main

    ctx.exit(main(options))
