"""Files and folders that are written: whole or not at all, and the errors that say why not."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from autotuner.contracts.errors import AutotunerError, ErrorCode


def write_file(path: Path, text: str, *, executable: bool = False) -> None:
    """Write a file whole or not at all, replacing one of that name. AutotunerError(STORAGE)."""
    with new_file(path, executable=executable) as file:
        file.write(text.encode())


@contextmanager
def new_file(path: Path, *, executable: bool = False) -> Iterator[IO[bytes]]:
    """A file to write, which becomes ``path`` at the end, replacing one of that name; nothing when the body raises.

    AutotunerError(STORAGE).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file
            mask = os.umask(0)
            os.umask(mask)
            Path(name).chmod((0o777 if executable else 0o666) & ~mask)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, (error.strerror or str(error)).lower()) from error


def check_writable(path: Path) -> None:
    """AutotunerError(STORAGE) now rather than after a long run, when ``path`` can't become a file."""
    if path.is_dir():
        raise unwritable(path, "it is a folder")
    above = path.absolute().parent
    while not above.exists():
        above = above.parent
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise unwritable(path, f"{above} is no folder that you may write to")


def check_folder(path: Path) -> None:
    """Make a folder. AutotunerError(STORAGE) when files can't be written into it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, (error.strerror or str(error)).lower(), what="the folder cannot be made") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise unwritable(path, "you may not write to it", what="files cannot be written into the folder")


def unwritable(path: Path, why: str, *, what: str = "the file cannot be written") -> AutotunerError:
    """The error for a file that can't be written."""
    return AutotunerError(
        ErrorCode.STORAGE,
        what,
        why=why,
        remedy="Free some space, or give a path that you may write to",
        place=str(path),
    )
