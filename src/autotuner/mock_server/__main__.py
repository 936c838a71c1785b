"""``python -m autotuner.mock_server --port 0 --ttft-s 0.05 …``: prints a line of JSON with its address, then serves."""

from __future__ import annotations

from typing import Any

import click

from autotuner.mock_server.command import options, serve


@click.command()
@options
@click.pass_context
def main(ctx: click.Context, /, **given: Any) -> None:
    """Start an OpenAI-compatible server with known timing and faults."""
    ctx.exit(serve(given, {}))


if __name__ == "__main__":
    main()
