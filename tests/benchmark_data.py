"""The recorded results of other clients, and interpreters that only pretend to run them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "data" / "bench_clients"


def recorded(name: str) -> dict[str, Any]:
    """A recorded result."""
    found: dict[str, Any] = json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))
    return found


def pretended(folder: Path, script: str) -> str:
    """An interpreter that runs a shell script instead; its path."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def leaves(name: str, target: str) -> str:
    """Script: leave a recorded result as the client would."""
    return f"gzip -dc {FOLDER / name}.json.gz > {target}"
