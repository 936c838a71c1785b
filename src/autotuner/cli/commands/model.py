"""``autotuner model``."""

from __future__ import annotations

import click

from autotuner.cli.output import say, say_json
from autotuner.cli.state import State, pass_state, shared_options


@click.group(short_help="Make small models; show what a model needs on GPUs.")
def model() -> None:
    """Make small models for trying things out; show what a model is and needs on GPUs."""


@model.command()
@click.argument("kind", type=click.Choice(("tiny", "small")), default="tiny")
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Weight type of a file, such as f16 (the default) or q8_0. Repeatable.",
)
@click.option("--out", metavar="DIR", help="Folder; default: in the data folder, where `tiny` in a task looks.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the weights.")
@shared_options()
@pass_state
def create(state: State, kind: str, types: tuple[str, ...], out: str | None, seed: int) -> None:
    """Make a random model with the work per token of a real one; nothing is downloaded.

    tiny answers in milliseconds; small is heavy enough to see the effect of parameters. Files that exist are kept.

    \b
    Examples:
      autotuner model create
      autotuner model create small --type f16 --type q8_0

    Prints the path of each file. In a task, `model: {id_or_path: tiny:q8_0}` makes it on first use.

    Exit codes: 0, or 2 when a file cannot be made.
    """
    from pathlib import Path

    from autotuner.services.models import DEFAULT_FILE_TYPE
    from autotuner.tiny_model import create_model

    folder = Path(out) if out is not None else state.settings().models_dir / kind
    made = create_model(kind, folder, seed=seed, file_types=types or (DEFAULT_FILE_TYPE,))
    if state.json:
        files = {name: str(path) for name, path in made.gguf.items()}
        say_json({"folder": str(made.directory), "files": files, "weights": made.parameters})
        return
    for path in made.gguf.values():
        say(str(path))


@model.command()
@click.argument("path")
@click.option("--gpu", metavar="NAME", help="Kind of GPU, such as h200_sxm: what each layout needs on it.")
@click.option(
    "--gpus", type=click.IntRange(min=1), default=8, show_default=True, metavar="N", help="GPUs of a server, at most."
)
@click.option("--engine", metavar="NAME", help="Whose memory fraction counts; the message for a wrong name lists them.")
@click.option("--memory-fraction", type=click.FloatRange(min=0, max=1, min_open=True), metavar="F", help="Its value.")
@click.option(
    "--context",
    type=click.IntRange(min=1),
    metavar="N",
    help="Tokens of the longest sequence; default: as many as the model can.",
)
@click.option("--max-num-seqs", type=click.IntRange(min=1), default=256, show_default=True, help="Sequences at once.")
@click.option(
    "--max-num-batched-tokens",
    type=click.IntRange(min=1),
    default=8192,
    show_default=True,
    help="Tokens of one forward pass.",
)
@click.option("--weights", default="auto", show_default=True, metavar="TYPE", help="Type of weights, such as fp8.")
@click.option("--kv", default="auto", show_default=True, metavar="TYPE", help="Type of the KV cache, such as fp8.")
@shared_options()
@pass_state
def show(
    state: State,
    path: str,
    gpu: str | None,
    gpus: int,
    engine: str | None,
    memory_fraction: float | None,
    context: int | None,
    max_num_seqs: int,
    max_num_batched_tokens: int,
    weights: str,
    kv: str,
) -> None:
    """Show the model in the folder PATH: its shape, size and quantisation, and what it needs on GPUs.

    PATH may be tiny or small, too.

    Only config.json and its neighbours are read, no weights. With --gpu there is a row for each layout: what the
    fullest GPU holds, what the memory fraction gives, whether the server starts (fits, tight, cannot fit), and how many
    of the longest sequences its KV cache holds.

    \b
    Examples:
      autotuner model show tiny
      autotuner model show FOLDER --gpu h200_sxm --context 8192 --kv fp8

    Exit codes: 0, or 2 when the model cannot be read or a name is unknown.
    """
    from autotuner.cli.output import show as display
    from autotuner.cli.render.model import model_view
    from autotuner.modelling.memory import Precision
    from autotuner.services.model_memory import describe_model, model_on_gpus
    from autotuner.services.models import model_folder

    precision = Precision(gemm=weights, kv=kv)
    report = describe_model(model_folder(path, state.settings()), precision)
    if gpu is not None:
        report = model_on_gpus(
            report,
            gpu=gpu,
            gpus=gpus,
            engine=engine,
            precision=precision,
            context=context,
            max_num_seqs=max_num_seqs,
            max_num_batched_tokens=max_num_batched_tokens,
            memory_fraction=memory_fraction,
        )
    if state.json:
        say_json(report.model_dump(mode="json"))
        return
    display(*model_view(report))
