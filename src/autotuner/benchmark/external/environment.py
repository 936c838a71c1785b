"""Which variables a client that is a program of its own sees. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

NAMES = ("PATH", "LANG", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "NO_PROXY": "*",
    "PYTHONNOUSERSITE": "1",
    "PYTHONUNBUFFERED": "1",
    "MPLBACKEND": "Agg",
}
"""No hub, no telemetry, no proxy between client and server."""


def client_environment(inherited: Mapping[str, str], home: Path, own: Mapping[str, str]) -> dict[str, str]:
    """A few of the inherited variables, caches in ``home`` instead of the user's, and the client's own ones."""
    kept = {name: inherited[name] for name in NAMES if name in inherited}
    places = {
        "HOME": str(home),
        "TMPDIR": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "HF_HOME": str(home / "hf"),
    }
    return {**kept, **OFFLINE, **places, **own}
