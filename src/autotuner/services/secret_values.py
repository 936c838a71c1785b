"""Secrets: named by reference, read when they are used, and blotted out of whatever is written about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.deploy.secret_references import LEAST, MissingSecretError, is_reference, read_reference, secrets_by_name
from autotuner.services.settings import Settings

BLOT = "***"


def read_secret(reference: str, environ: Mapping[str, str]) -> str:
    """The secret that ``env:NAME`` or ``file:/path`` names, without white space around it. Blocks.

    AutotunerError: MISSING_FILE for what is not there, INVALID_VALUE for another text.
    """
    if not is_reference(reference):
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            "A secret is not named as it must be",
            why="it is neither env:NAME nor file:/path",
            remedy="Put the secret into the environment or a file and name that",
        )
    try:
        return read_reference(reference, environ)
    except MissingSecretError as error:
        raise AutotunerError(
            ErrorCode.MISSING_FILE,
            "A secret is not there",
            why=str(error),
            remedy="Set it before the start",
            place=reference,
        ) from error


def known_secrets(settings: Settings, environ: Mapping[str, str]) -> frozenset[str]:
    """The values that must appear nowhere: the service's token, the database's password, the keys of webhooks, and
    environment variables whose names say that they are secrets. Blocks.
    """
    found = secrets_by_name(environ)
    if settings.token is not None:
        found.add(settings.token.get_secret_value())
    else:
        found |= _token_of_file(settings)
    for webhook in settings.webhooks:
        if webhook.secret is not None:
            try:
                found.add(read_secret(webhook.secret, environ))
            except AutotunerError:
                continue  # it is reported where it is used
    return frozenset(found | _database_password(settings.database))


class Redaction:
    """Replaces secrets in texts and in whatever holds texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in (secret, quote(secret, safe="")) if len(secret) >= LEAST}
        # The longest first: one secret may be a part of another.
        ordered = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """The text with every secret blotted out."""
        return self._pattern.sub(BLOT, text) if self._pattern is not None else text

    def value(self, value: Any) -> Any:
        """The same of a value as JSON has them, keys included; other objects by their ``str`` if it holds a secret."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.value(key): self.value(item) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.value(item) for item in value]
            case None | bool() | int() | float():
                return value
            case _:
                shown = str(value)
                blotted = self.text(shown)
                return value if blotted == shown else blotted


def _token_of_file(settings: Settings) -> set[str]:
    try:
        return {settings.token_path.read_text(encoding="ascii").strip()}
    except (OSError, UnicodeDecodeError):
        return set()


def _database_password(database: str) -> set[str]:
    if "://" not in database:
        return set()
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(database)
    except ArgumentError:
        return set()
    query = url.query.get("password", ())
    return {str(url.password or ""), *((query,) if isinstance(query, str) else query)}
