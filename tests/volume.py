"""A small file system of its own, in a mount namespace of its own: to fill it, or to make it read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHUNK = b"x" * 65536


class Volume:
    """A tmpfs. ``folder``: where programs started by ``command`` see it; ``outside``: the same for everybody else.

    SQLite can't open a file of ``outside``, since it resolves that link by its text; it can open one of a ``copy``.
    """

    def __init__(self, holder: int, folder: Path) -> None:
        self.folder = folder
        self.outside = Path(f"/proc/{holder}/root{folder}")
        self._namespace = f"--mount=/proc/{holder}/ns/mnt"

    def command(self, *words: str) -> list[str]:
        """A command that sees the volume. Its process id is that of the command itself."""
        return ["nsenter", self._namespace, "--", *words]

    def fill(self) -> None:
        """Leave no byte."""
        with (self.outside / "filler").open("ab", buffering=0) as filler:
            for chunk in (CHUNK, b"x"):
                try:
                    while filler.write(chunk) == len(chunk):
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        """Give back what ``fill`` took."""
        (self.outside / "filler").unlink()

    def copy(self, target: Path) -> Path:
        """Copy all that is there, except what fills it."""
        return Path(shutil.copytree(self.outside, target, ignore=shutil.ignore_patterns("filler")))

    def remount(self, option: str) -> None:
        """``ro`` or ``rw``."""
        subprocess.run(self.command("mount", "-o", f"remount,{option}", str(self.folder)), check=True)


@contextmanager
def volume(folder: Path, size: str) -> Iterator[Volume]:
    """A volume of that size (as mount spells it) over ``folder``. Skips the test where mounting is not allowed."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("mounting a file system of one's own needs root, unshare and nsenter")
    folder.mkdir()
    script = 'mount -t tmpfs -o size="$1" tmpfs "$2" && echo ready && exec cat'
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, "sh", size, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stderr is not None
        try:
            if holder.stdout.readline() != "ready\n":
                pytest.skip(f"mounting is not allowed here: {holder.stderr.read().strip()}")
            yield Volume(holder.pid, folder)
        finally:
            holder.kill()
