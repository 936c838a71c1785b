"""``autotuner mock-server``."""

from __future__ import annotations

from typing import Any

import click

from autotuner.engines.exposition import EXPOSITIONS
from autotuner.mock_server.command import options, serve


@click.command(name="mock-server", short_help="Start a pretended inference server.")
@click.option(
    "--surface",
    metavar="NAME|FILE",
    help="Answer as predicted: at each load with the ttft and tpot of a configuration of this table of predictions.",
)
@click.option(
    "--row",
    "rows",
    multiple=True,
    metavar="KEY=VALUE",
    help="Of --surface: backend, isl, osl, and a parameter of the configuration such as tp=2. Repeatable.",
)
@click.option(
    "--metrics-as",
    type=click.Choice(sorted(EXPOSITIONS)),
    help="Serve /metrics for Prometheus as this engine would; the figures are sums over the truths of the requests.",
)
@options
@click.pass_context
def mock_server(
    ctx: click.Context, /, surface: str | None, rows: tuple[str, ...], metrics_as: str | None, **given: Any
) -> None:
    """Start an OpenAI-compatible server on loopback with known timing and faults, to try a client or a task on.

    \b
    Examples:
      autotuner mock-server --port 8000 --ttft-s 0.05 --token-s 0.01
      autotuner mock-server --token-spread lognormal:0.5 --most-tokens-per-chunk 8 --cut-bytes 40 --words awkward
      autotuner mock-server --faults error_500=0.02,cut=0.01 --log truth.jsonl
      autotuner mock-server --max-batch 8 --slowdown 0.1
      autotuner mock-server --surface qwen3_32b_h200 --row tp=2 --row max_num_seqs=64

    Prints one line of JSON with its address, then serves until Ctrl-C, then prints what it did and how late its tokens
    were. A line of --log tells when the request was read, and when its first and last tokens were due and written
    (seconds of the monotonic clock). A token is written with the write that completes its event; its time is read just
    before.

    Exit codes: 0, or 2 for an impossible option.
    """
    more: dict[str, Any] = {}
    if metrics_as is not None:
        more["metrics"] = EXPOSITIONS[metrics_as]
    if surface is not None:
        from autotuner.engines.registry import predicted_curve

        pairs = [row.partition("=") for row in rows]
        more["curve"] = predicted_curve(surface, {name.strip(): value.strip() for name, _, value in pairs})
    elif rows:
        raise click.UsageError("--row needs --surface.")
    ctx.exit(serve(given, more))
