"""Runs the task of a document's file and prints a line per finished start: `task_process.py DOCUMENT DATA_DIR`."""

from __future__ import annotations

import asyncio
import os
import sys

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.services.documents import read_document
from autotuner.services.settings import load_settings
from autotuner.services.tasks import run_task


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Speaker:
    def on_snapshot(self, snapshot: Snapshot) -> None:
        if snapshot.phase is not None:
            say(f"phase {snapshot.phase.value} {snapshot.experiment}")

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        say(f"finished {summary.number} {reason.value} {summary.status.value}")

    def on_message(self, message: str) -> None:
        say(f"message {message}")


async def main(path: str, data_dir: str) -> None:
    settings = load_settings({**os.environ, "AUTOTUNER_DATA_DIR": data_dir, "HOME": data_dir})
    try:
        outcome = await run_task(read_document(path), settings, Speaker())
    except AutotunerError as error:
        say(f"error {error.code.value} {error}")
        sys.exit(2)
    say(f"result {outcome.task.status.value} {outcome.fresh}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
