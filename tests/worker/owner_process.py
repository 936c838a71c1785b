"""Keeps an embedded worker until SIGTERM, as the service does: `owner_process.py DATA_DIR`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import structlog

from autotuner.services.logs import logging_to
from autotuner.services.settings import load_settings
from autotuner.worker.embedded import embedded_worker


async def main(data_dir: str) -> None:
    settings = load_settings({**os.environ, "AUTOTUNER_DATA_DIR": data_dir})
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with logging_to(settings, "owner", secrets=frozenset, console=False):
        async with embedded_worker(settings, structlog.get_logger("owner")):
            await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
