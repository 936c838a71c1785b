"""The file that keeps what a server writes: bounded, without its secrets. Standard library only, for the supervisor."""

from __future__ import annotations

import os
import re

HEAD_BYTES = 4 << 20
"""So much of the beginning is kept: the arguments, the engine's set-up."""
TAIL_BYTES = 4 << 20
"""At least so much of the end is kept: the last words."""
MOST_BYTES = 16 << 20
"""The file is cut when it would grow beyond this."""
BLOT = b"***"


class ServerLog:
    """Appends to a file; when it grows too large, its middle is left out and a line says how much.

    A full disk costs what does not fit, and another line says how much that was; it never raises.
    """

    def __init__(self, path: str, secrets: list[bytes], most: int = MOST_BYTES) -> None:
        self._path = path
        self._secrets = [secret for secret in secrets if secret]
        self._head = min(HEAD_BYTES, most // 4)
        self._tail = min(TAIL_BYTES, most // 4)
        self._most = most
        self._size = 0
        self._cut = 0
        self._lost = 0
        self._held = b""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes) -> None:
        """Append, with each secret blotted out. What may be the beginning of one is held back until the next call."""
        data = self._held + data
        for secret in self._secrets:
            data = data.replace(secret, BLOT)
        kept = max((_begun(data, secret) for secret in self._secrets), default=0)
        self._held = data[len(data) - kept :]
        self._append(data[: len(data) - kept])

    def flush(self) -> None:
        """Append what was held back: nothing more comes for now."""
        held, self._held = self._held, b""
        self._append(held)

    def close(self) -> None:
        """Append the rest and close the file."""
        self.flush()
        os.close(self._file)

    def _append(self, data: bytes) -> None:
        if self._lost and data:
            mark = b"\n[autotuner: %d bytes could not be written here]\n" % self._lost
            if self._put(mark) < len(mark):
                self._lost += len(data)
                return
            self._lost = 0
        step = self._most // 4
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            if self._size + len(piece) > self._most:
                self._leave_out_middle()
            written = self._put(piece)
            if written < len(piece):
                self._lost += len(data) - start - written
                return

    def _put(self, data: bytes) -> int:
        """How much of it was written."""
        try:
            written = os.write(self._file, data)
        except OSError:
            return 0
        self._size += written
        return written

    def _leave_out_middle(self) -> None:
        """Replace the file by its beginning and its end. Readers that hold the old one see no change."""
        part = f"{self._path}.part"
        try:
            new = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            return self._begin_again()
        try:
            cut = self._cut + self._size - self._head - self._tail
            head = os.pread(self._file, self._head, 0)
            tail = os.pread(self._file, self._tail, self._size - self._tail)
            mark = b"\n[autotuner: about %d bytes are left out here]\n" % cut
            for data in (head, mark, tail):
                if os.write(new, data) != len(data):
                    raise OSError("the disk is full")
            os.replace(part, self._path)
        except OSError:
            os.close(new)
            self._begin_again()
            return None
        os.close(self._file)
        self._file, self._cut = new, cut
        self._size = len(head) + len(mark) + len(tail)
        return None

    def _begin_again(self) -> None:
        """No room for a second file: the old content goes."""
        try:
            os.ftruncate(self._file, 0)
        except OSError:
            return
        self._cut += self._size
        self._size = 0
        self._put(b"[autotuner: about %d bytes are left out here]\n" % self._cut)


def end_of_cut(file: int, most: int = MOST_BYTES) -> int:
    """Where a log whose middle was left out goes on with what a reader of the old one has not read; 0 for another log.

    What stands before is its beginning, the line that says how much is left out, and the end of the old one.
    """
    head = min(HEAD_BYTES, most // 4)
    mark = re.match(rb"\n\[autotuner: about \d+ bytes are left out here\]\n", os.pread(file, 100, head))
    return head + mark.end() + min(TAIL_BYTES, most // 4) if mark else 0


def _begun(data: bytes, secret: bytes) -> int:
    """Length of the end of ``data`` that may be the beginning of ``secret``."""
    for length in range(min(len(secret) - 1, len(data)), 0, -1):
        if secret.startswith(data[-length:]):
            return length
    return 0
