"""The token of the service: made at the first start, kept in a file that only its owner can read."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.services.settings import Settings, variable

_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class AccessToken:
    """Tells whether a token or a page's cookie is right. A token that is changed in the file counts at once.

    The token of the settings (AUTOTUNER_TOKEN), if there is one, takes the place of the file's.
    """

    def __init__(self, settings: Settings) -> None:
        self._fixed = None if settings.token is None else settings.token.get_secret_value()
        self._path = settings.token_path
        self._read: tuple[tuple[int, int, int], str] | None = None

    @property
    def value(self) -> str | None:
        """The token; None while there is no file, and then nobody is let in."""
        if self._fixed is not None:
            return self._fixed
        try:
            found = self._path.stat()
            state = (found.st_ino, found.st_mtime_ns, found.st_size)
            if self._read is None or self._read[0] != state:
                self._read = (state, self._path.read_text(encoding="ascii").strip())
        except (OSError, UnicodeDecodeError):
            return None
        return self._read[1] or None

    def is_right(self, token: str) -> bool:
        """Whether this is the token; takes as long for every wrong one."""
        value = self.value
        return value is not None and hmac.compare_digest(token.encode(), value.encode())

    @property
    def cookie(self) -> str | None:
        """What a page's cookie holds: made of the token, of no use as one, and void when the token is changed."""
        value = self.value
        return None if value is None else hmac.digest(value.encode(), b"cookie of the page", hashlib.sha256).hex()

    def is_right_cookie(self, cookie: str) -> bool:
        """Whether a page may have this cookie."""
        value = self.cookie
        return value is not None and hmac.compare_digest(cookie.encode(), value.encode())

    def ensure(self) -> str:
        """The token; made now if there is none, or if others could read its file. AutotunerError(STORAGE). Blocks."""
        if self._fixed is not None:
            return self._fixed
        with suppress(FileNotFoundError):
            if self._path.stat().st_mode & _OTHERS:
                return self.renew()
        return self.value or self.renew(only_if_none=True)

    def renew(self, *, only_if_none: bool = False) -> str:
        """Write a new token; the old one and all cookies are void. Blocks.

        AutotunerError: CONFLICT when the settings fix it, STORAGE when the file cannot be written.
        """
        if self._fixed is not None:
            raise AutotunerError(
                ErrorCode.CONFLICT,
                "The token cannot be changed",
                why=f"{variable('token')} fixes it",
                remedy="Change the variable, or unset it",
                place=variable("token"),
            )
        try:
            self._write(secrets.token_urlsafe(_BYTES), only_if_none=only_if_none)
        except OSError as error:
            raise AutotunerError(
                ErrorCode.STORAGE,
                "The token of the service cannot be stored",
                why=error.strerror or str(error),
                remedy="Make the data folder writable, or set AUTOTUNER_TOKEN",
                place=str(self._path),
            ) from error
        value = self.value
        if value is None:
            raise AutotunerError(
                ErrorCode.STORAGE,
                "The token of the service cannot be read",
                why="its file is empty, or belongs to somebody else",
                remedy="Remove the file",
                place=str(self._path),
            )
        return value

    def _write(self, token: str, *, only_if_none: bool) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = Path(f"{self._path}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(token + "\n")
            if not only_if_none:
                new.replace(self._path)
                return
            with suppress(FileExistsError):  # another process was faster: its token counts
                os.link(new, self._path)
        finally:
            new.unlink(missing_ok=True)
