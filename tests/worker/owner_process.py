"""Keeps an embedded worker until SIGTERM, as the service does: `owner_process.py DATA_DIR`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from autotuner.services.settings import load_settings
from autotuner.worker.embedded import embedded_worker
from autotuner.worker.log import open_log


async def main(data_dir: str) -> None:
    settings = load_settings({**os.environ, "AUTOTUNER_DATA_DIR": data_dir})
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with open_log(Path(data_dir) / "owner", console=False) as log:
        async with embedded_worker(settings, log):
            await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
