"""Notices of runs that somebody follows: how far they are, and that a server's log has grown. They are in no log.

A run writes its progress to a file of its task (``services/progress_file.py``), whichever process it is in; the server
writes its log. Both are looked at once a second, for tasks that somebody follows only.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.event_log import EventLog
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.store import ExperimentStatus, TaskStatus
from autotuner.server.live.feed import Feed
from autotuner.server.live.frames import Notice
from autotuner.services.log_reading import LogStream, log_streams
from autotuner.services.progress_file import ProgressReader, is_snapshot
from autotuner.services.report.wording import gain_of
from autotuner.services.settings import Settings

LOOK_S = 1.0
"""No notice of a kind comes more often for a task."""
_log = logging.getLogger(__name__)


@dataclass
class _Seen:
    """What came since the last look."""

    snapshot: Snapshot | None
    log_size: int | None


class _Watcher:
    """Looks at the files of one task's present run."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._reader: ProgressReader | None = None
        self._size: int | None = None
        self.first = True
        self.stream: LogStream | None = None
        self.stream_seq = -1
        """Last event of the task when the stream was looked up."""

    def look(self) -> _Seen:
        """Read what is new. Blocks for a moment."""
        last = None
        for line in () if self._reader is None else self._reader.lines():
            last = line if is_snapshot(line) else last
        return _Seen(_snapshot(last), self._grown())

    def turn_to(self, folder: Path) -> None:
        """Read the progress of the run with this folder from now on."""
        if folder != self._folder:
            self.close()
            self._folder, self._reader, self.first = folder, ProgressReader(folder), True

    def follow(self, stream: LogStream | None) -> None:
        """Look at this log from now on."""
        if stream != self.stream:
            self.stream, self._size = stream, None

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()

    def _grown(self) -> int | None:
        """The size of the log if it is another one than before."""
        if self.stream is None:
            return None
        with suppress(OSError):
            size = self.stream.path.stat().st_size
            if size != self._size:
                self._size = size
                return size
        return None


class Reporter:
    """Tells a feed of the runs that are followed. Made by ``reporting``."""

    def __init__(self, feed: Feed, log: EventLog, settings: Settings) -> None:
        self._feed = feed
        self._log = log
        self._settings = settings
        self._watchers: dict[int, _Watcher] = {}

    async def run(self) -> None:
        """Look once a second, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look()
            except AutotunerError as error:  # the database is away
                _log.warning("progress cannot be told: %s", error)
            except Exception:  # noqa: BLE001  # one run's file must not end the notices of all others
                _log.exception("progress cannot be told")

    def close(self) -> None:
        """Close all files."""
        for watcher in self._watchers.values():
            watcher.close()
        self._watchers.clear()

    async def _look(self) -> None:
        wanted = set(self._feed.followed())
        if self._feed.all_are_followed:
            wanted.update(await self._log.running_tasks())
        for task_id in self._watchers.keys() - wanted:
            self._watchers.pop(task_id).close()
        for task_id in wanted - self._watchers.keys():
            self._watchers[task_id] = _Watcher()
        for task_id, watcher in self._watchers.items():
            await self._look_up(task_id, watcher)
        watchers = list(self._watchers.items())
        seen = await asyncio.to_thread(lambda: [watcher.look() for _, watcher in watchers])
        for (task_id, watcher), found in zip(watchers, seen, strict=True):
            await self._tell(task_id, watcher, found)

    async def _look_up(self, task_id: int, watcher: _Watcher) -> None:
        """Find the folder of the present run and the log of the last start, when the task's log of events says that
        there may be another one.
        """
        told = self._feed.told.get(task_id)
        if told != watcher.stream_seq:
            try:
                run = (await self._log.get_task_state(task_id)).run
            except AutotunerError as error:
                if error.code is not ErrorCode.NOT_FOUND:
                    raise
                return  # removed for ever, and still followed
            watcher.turn_to(await asyncio.to_thread(self._settings.run_folder, task_id, run))
            folders = await self._log.attempt_folders(task_id, last=1)
            streams = log_streams(folders)
            if streams or not folders:  # else its folder is not known yet
                watcher.stream_seq = told
            watcher.follow(streams[-1] if streams else None)

    async def _tell(self, task_id: int, watcher: _Watcher, seen: _Seen) -> None:
        first, watcher.first = watcher.first, False
        if seen.log_size is not None and watcher.stream is not None:
            data = {"stream": watcher.stream.name, "offset": seen.log_size}
            self._feed.tell(Notice("log_message", task_id, data))
        if seen.snapshot is None or (first and not await self._runs(task_id)):
            return  # what lies there of a run that has ended is no news
        snapshot = seen.snapshot
        counts = await self._log.count_experiments(task_id)
        data = progress_data(snapshot, counts.get(ExperimentStatus.SUCCESS, 0))
        self._feed.tell(Notice("task_progress", task_id, data))
        if snapshot.experiment is None:
            return
        experiment_id = await self._log.log_experiment(task_id, snapshot.experiment)
        if experiment_id is None:
            return
        now = {"number": snapshot.experiment, "phase": snapshot.phase, "reason": snapshot.reason}
        self._feed.tell(Notice("experiment_progress", task_id, now, experiment_id=experiment_id))
        if snapshot.live is not None:
            figures = snapshot.live.model_dump(mode="json")
            self._feed.tell(Notice("benchmark_progress", task_id, figures, experiment_id=experiment_id))

    async def _runs(self, task_id: int) -> bool:
        state = await self._log.get_task_state(task_id)
        return state.status in {TaskStatus.RUNNING, TaskStatus.PAUSED, TaskStatus.CANCELLING}


def progress_data(snapshot: Snapshot, successful: int) -> dict[str, Any]:
    """The data of task_progress: the experiment's number, starts planned, experiments measured, percent of the starts,
    the scores of best and baseline in the objective's unit and how much better the best is, seconds that are left.
    """
    total = snapshot.starts_total
    best = None if snapshot.best is None else snapshot.best.score
    return {
        "current_experiment": snapshot.experiment,
        "total_experiments": total,
        "successful_experiments": successful,
        "progress_percent": round(100 * snapshot.starts_done / total, 1) if total else None,
        "best_score": best,
        "baseline_score": snapshot.baseline_score,
        "gain": gain_of(best, snapshot.baseline_score, snapshot.direction),
        "unit": snapshot.unit,
        "stage": snapshot.stage,
        "predicted": snapshot.predicted,
        "eta_s": snapshot.eta_s,
    }


@asynccontextmanager
async def reporting(feed: Feed, log: EventLog, settings: Settings) -> AsyncIterator[None]:
    """Tell the feed of the runs that are followed, as long as the context lasts."""
    reporter = Reporter(feed, log, settings)
    work = asyncio.create_task(reporter.run())
    try:
        yield
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        reporter.close()


def _snapshot(line: str | None) -> Snapshot | None:
    """The snapshot of a line; None for one of another version."""
    if line is None:
        return None
    try:
        return Snapshot.model_validate(json.loads(line)["snapshot"])
    except (ValueError, KeyError, TypeError, ValidationError):
        return None
