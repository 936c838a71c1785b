"""``autotuner client``."""

from __future__ import annotations

import click

from autotuner.cli.output import say, say_json, show, table, wait_for
from autotuner.cli.state import State, pass_state, shared_options


@click.group(short_help="Install and list benchmark clients.")
def client() -> None:
    """Install other benchmark clients beside the builtin one, each into an environment of its own, and list them.

    \b
    Examples:
      autotuner client list
      autotuner client install guidellm
    """


@client.command(name="list")
@shared_options()
@pass_state
def list_clients(state: State) -> None:
    """List the benchmark clients: name, the version that this program knows, whether it is installed, and where.

    Exit codes: 0.
    """
    from autotuner.services.clients import list_clients as found

    clients = found(state.settings())
    if state.json:
        say_json([entry.model_dump(mode="json") for entry in clients])
        return
    rows = [(entry.name, entry.version or "", entry.state, entry.path or "") for entry in clients]
    show(table(("client", "version", "state", "folder"), rows))


@client.command(name="install")
@click.argument("name")
@shared_options()
@pass_state
def install(state: State, name: str) -> None:
    """Install the benchmark client NAME (guidellm or genai-bench) with exact versions of all it needs.

    \b
    Examples:
      autotuner client install guidellm
      autotuner client install genai-bench

    It gets an environment of its own below clients in the data folder (AUTOTUNER_CLIENTS_DIR names another place), made
    by pip with its usual settings. This takes minutes, and 2 to 3 GB. One that was cut off is begun anew by the same
    command; one that is there already is kept.

    Prints progress on stderr, then the folder on stdout.

    Exit codes: 0, or 2 when it cannot be installed, and the message says why.
    """
    from autotuner.services.client_install import install_client
    from autotuner.services.clients import separate_client

    package = separate_client(name).package
    folder, made = wait_for(install_client(package, state.settings(), lambda text: say(text, err=True)))
    if state.json:
        say_json({"client": package.name, "version": package.version, "folder": str(folder), "new": made})
        return
    say(
        f"{package.name} {package.version} is installed." if made else f"{package.name} was installed before.", err=True
    )
    say(str(folder))
