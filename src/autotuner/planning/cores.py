"""Which cores the server and the client use, so that they do not disturb each other."""

from __future__ import annotations

from collections.abc import Sequence

from autotuner.contracts.attempt import CoreSplit


def split_cores(
    server: Sequence[int], client: Sequence[int], available: Sequence[int], *, server_here: bool
) -> CoreSplit:
    """Core sets of server and client.

    ``server``, ``client``: as the document asks (empty: chosen here). ``available``: cores this process may use.
    ``server_here``: whether the server runs on this host. Chosen: the client takes the last core, the server the rest.
    With a single core nothing is pinned and the note says what that means.
    """
    cores = tuple(sorted(available))
    if not server_here:
        return CoreSplit(client=tuple(client) or None)
    if server or client:
        rest = tuple(core for core in cores if core not in client)
        others = tuple(core for core in cores if core not in server)
        return CoreSplit(server=tuple(server) or rest or None, client=tuple(client) or others or None)
    if len(cores) < 2:
        return CoreSplit(
            note="server and client share the only core: they disturb each other, so figures are worse than they are"
        )
    return CoreSplit(server=cores[:-1], client=cores[-1:])
