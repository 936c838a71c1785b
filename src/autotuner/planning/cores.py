"""Which cores the server and the client use, so that they do not disturb each other."""

from __future__ import annotations

from collections.abc import Sequence

from autotuner.contracts.attempt import CoreSplit
from autotuner.contracts.errors import AutotunerError, ErrorCode

SHARED = "server and client share {}: they disturb each other, so figures are worse than they are"


def split_cores(
    server: Sequence[int], client: Sequence[int], available: Sequence[int], *, server_here: bool
) -> CoreSplit:
    """Core sets of server and client.

    ``server``, ``client``: as the document asks (empty: chosen here). ``available``: cores this process may use.
    ``server_here``: whether the server runs on this host; of one that does not, nothing is pinned.

    Chosen: the client takes the last core, the server the rest; if one of them is given, the other takes what that
    leaves. Where nothing is left to take, it is not pinned, and the note says what that means.
    Raises AutotunerError (INVALID_VALUE) for a core that is not available.
    """
    cores = tuple(sorted(available))
    if server_here:
        _available("server", server, cores)
    _available("client", client, cores)
    if not server_here:
        return CoreSplit(client=tuple(client) or None)
    if not server and not client:
        if len(cores) < 2:
            return CoreSplit(note=SHARED.format("the only core"))
        return CoreSplit(server=cores[:-1], client=cores[-1:])
    of_server = tuple(server) or tuple(core for core in cores if core not in client)
    of_client = tuple(client) or tuple(core for core in cores if core not in server)
    note = None if of_server and of_client else SHARED.format("cores, as the one is given all that there are")
    return CoreSplit(server=of_server or None, client=of_client or None, note=note)


def _available(whose: str, asked: Sequence[int], cores: Sequence[int]) -> None:
    missing = [str(core) for core in asked if core not in cores]
    if missing:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            f"the {whose} cannot use core {', '.join(missing)}",
            why=f"the cores that may be used here are {', '.join(map(str, cores)) or 'unknown'}",
            remedy="Name some of these, or leave it out",
            place=f"runtime.{whose}_cores",
        )
