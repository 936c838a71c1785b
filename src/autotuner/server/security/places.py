"""Where a request comes from and goes to, by its headers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette.types import Scope

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names under which the service may always be called, with its port."""


def header(scope: Scope, name: str) -> str | None:
    """A header that stands in the request once; None if it is missing. ValueError if it stands there more often."""
    wanted = name.encode("latin-1")
    found = [value for key, value in scope["headers"] if key.lower() == wanted]
    if len(found) > 1:
        raise ValueError(f"the header {name} stands there {len(found)} times")
    return found[0].decode("latin-1") if found else None


def port_of(scope: Scope) -> int:
    """The port that the request came in on."""
    server: Sequence[object] | None = scope.get("server")
    port = server[1] if server else None
    return port if isinstance(port, int) else 80


def host_is_allowed(host: str | None, port: int, more: Iterable[str]) -> bool:
    """Whether a Host header names this service. A name of another one shows that it is called through a name that
    somebody else made lead here (DNS rebinding).
    """
    if host is None:
        return False
    allowed = {f"{name}:{port}" for name in LOOPBACK}
    if port == 80:
        allowed |= set(LOOPBACK)
    for name in more:
        bare = name.rpartition("]")[2] if name.startswith("[") else name
        allowed |= {name} if ":" in bare else {name, f"{name}:{port}"}
    return host.lower() in allowed


def is_same_origin(origin: str, host: str) -> bool:
    """Whether an Origin header names the service that the Host header names."""
    scheme, separator, named = origin.lower().partition("://")
    if not separator or scheme not in {"http", "https"}:
        return False
    usual = ":443" if scheme == "https" else ":80"
    return named.removesuffix(usual) == host.lower().removesuffix(usual)
