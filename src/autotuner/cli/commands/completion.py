"""``autotuner completion``."""

from __future__ import annotations

import click


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands and options of `autotuner` in SHELL.

    \b
    Examples:
      autotuner completion bash > ~/.local/share/bash-completion/completions/autotuner
      autotuner completion zsh > "${fpath[1]}/_autotuner"
      autotuner completion fish > ~/.config/fish/completions/autotuner.fish

    Exit code: 0.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.BadParameter(f"there is no completion for {shell}")
    root = ctx.find_root().command
    click.echo(kind(root, {}, "autotuner", "_AUTOTUNER_COMPLETE").source())
