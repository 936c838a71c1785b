"""A process that restores a backup and kills itself on the way.

Arguments: data folder, backup, and before_link, before_replace or after_replace.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from autotuner.services.moving import restore_store
from autotuner.services.settings import load_settings
from autotuner.store import replacing


def restore(data: str, file: str, instant: str) -> None:
    """Restore up to the instant."""
    link, sync = replacing.os.link, replacing.sync
    synced = 0

    def dying_link(path: Path, kept: Path) -> None:
        if instant == "before_link":
            os.kill(os.getpid(), signal.SIGKILL)
        link(path, kept)
        if instant == "before_replace":
            os.kill(os.getpid(), signal.SIGKILL)

    def dying_sync(path: Path) -> None:
        nonlocal synced
        synced += 1
        if synced == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        sync(path)

    replacing.os.link, replacing.sync = dying_link, dying_sync  # type: ignore[assignment]
    restore_store(load_settings({"AUTOTUNER_DATA_DIR": data}), Path(file), replace_it=True)


if __name__ == "__main__":
    restore(*sys.argv[1:])
