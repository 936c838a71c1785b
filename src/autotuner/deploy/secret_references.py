"""Secrets by reference: ``env:NAME`` and ``file:/path`` stand in documents, their values nowhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

LEAST = 6
"""Characters of a value that is looked for in texts: shorter ones stand in innocent words too."""
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:(?!//)[~/].*", re.DOTALL)
_NAME = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)(_|$)", re.IGNORECASE)


class MissingSecretError(Exception):
    """What a reference names is not there; the text says why."""


def is_reference(text: str) -> bool:
    """Whether a text names a secret. ``file://…`` is an address, not a reference."""
    return _REFERENCE.fullmatch(text) is not None


def read_reference(reference: str, environ: Mapping[str, str]) -> str:
    """The value, without white space around it. MissingSecretError. Blocks."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = environ.get(name)
        if value is None or not value.strip():
            raise MissingSecretError(f"the environment variable {name} is not set")
        return value.strip()
    try:
        value = Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        raise MissingSecretError(f"{name} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not value.strip():
        raise MissingSecretError(f"{name} is empty")
    return value.strip()


def with_values(env: Mapping[str, str], environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Variables with the values of their references, and these values. MissingSecretError. Blocks."""
    read = {name: read_reference(text, environ) for name, text in env.items() if is_reference(text)}
    return {**env, **read}, list(read.values())


def secrets_by_name(environ: Mapping[str, str]) -> set[str]:
    """Values of the variables whose names say that they are secrets, and that can be told from other words."""
    return {value for name, value in environ.items() if len(value) >= LEAST and _NAME.search(name)}
