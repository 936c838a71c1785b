"""The one reader of the event log in this process, and what it gives to those who follow a task or all of them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException

from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.event_log import EventLog
from autotuner.contracts.store import Event
from autotuner.server.live.cursor import Positions
from autotuner.server.live.frames import Frame, Notice, event_frame, heartbeat_frame, resync_frame, with_cursor
from autotuner.server.live.metrics import LiveMetrics
from autotuner.server.live.subscriber import Subscriber
from autotuner.store.location import Location
from autotuner.store.wake import Wakes, listening

PORTION = 100
"""Events that are read together; between two portions everybody else has a turn."""
HEARTBEAT_S = 15
TICK_S = 1.0
RETRY_S = 1.0
MOST_STREAMS = 1000
"""Open streams of one process."""
MISSING = "missing_events"
_log = logging.getLogger(__name__)


@dataclass
class Topic:
    """A task that somebody follows. ``followers``: all who do, also while they still catch up."""

    followers: int = 0
    live: set[Subscriber] = field(default_factory=set)


class Feed:
    """Reads each event once and gives it to all who follow its task, in order, without a gap.

    Made by ``feeding``. Whoever follows catches up by reading the log itself, as far as the feed has told, and joins
    then: the feed tells on from there.
    """

    def __init__(self, log: EventLog, metrics: LiveMetrics, wakes: Wakes) -> None:
        self.log = log
        self.metrics = metrics
        self.told = Positions()
        """Of each task that matters to somebody: the last event that was told."""
        self._wakes = wakes
        self._topics: dict[int, Topic] = {}
        self._everything = Topic()
        self._streams = 0
        self._ended = False
        self._looked = asyncio.Event()

    # ---- following

    def check_room(self) -> None:
        """HTTPException(503) when no more streams may be opened."""
        if self._ended or self._streams >= MOST_STREAMS:
            why = "The service ends" if self._ended else f"{self._streams} streams are open, which is the limit"
            raise HTTPException(503, f"{why}. Try again later", headers={"Retry-After": "10"})

    @contextmanager
    def counted(self, transport: str) -> Iterator[None]:
        """Count one more open stream."""
        self._streams += 1
        gauge = self.metrics.connections.labels(transport)
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()
            self._streams -= 1

    @contextmanager
    def following(self, task_id: int, last: int) -> Iterator[Topic]:
        """Have a task read; ``last`` is the last event now, if nobody followed it before."""
        topic = self._topics.setdefault(task_id, Topic())
        topic.followers += 1
        if task_id not in self.told:
            self.told[task_id] = last
            self._wakes.ask(task_id)  # for what came since ``last`` was read
        try:
            yield topic
        finally:
            topic.followers -= 1
            if not topic.followers:
                del self._topics[task_id]
                if not self._everything.followers:
                    self.told.remove(task_id)

    @asynccontextmanager
    async def following_all(self) -> AsyncIterator[Topic]:
        """Have all tasks read."""
        topic = self._everything
        now = await self.log.log_positions()
        if not topic.followers:
            for task_id, last in now.items():
                if task_id not in self.told:
                    self.told[task_id] = last
            self._wakes.ask()  # for what came since
        topic.followers += 1
        try:
            yield topic
        finally:
            topic.followers -= 1
            if not topic.followers:
                for task_id in list(self.told):
                    if task_id not in self._topics:
                        self.told.remove(task_id)

    @property
    def ended(self) -> bool:
        """Whether no stream goes on."""
        return self._ended

    @property
    def all_are_followed(self) -> bool:
        """Whether somebody follows all tasks."""
        return self._everything.followers > 0

    def followed(self) -> list[int]:
        """Tasks that somebody follows by themselves."""
        return list(self._topics)

    def subscriber_count(self, task_id: int) -> int:
        """How many streams follow a task by itself."""
        topic = self._topics.get(task_id)
        return 0 if topic is None else topic.followers

    def subscriber(self, task_id: int | None, only: int | None = None) -> Subscriber:
        """A queue for a stream of one task, or of all."""
        return Subscriber(lambda reason: self.resync(reason, task_id), only=only)

    def resync(self, reason: str, task_id: int | None) -> Frame:
        """The frame that says that all events were left out that have been told by now."""
        self.metrics.resyncs.labels(reason).inc()
        if task_id is None:
            return resync_frame(reason, cursor=self.told.cursor())
        return resync_frame(reason, task_id=task_id, seq=self.told[task_id])

    def heartbeat(self, task_id: int | None) -> Frame:
        """Where a stream stands."""
        if task_id is None:
            return heartbeat_frame(cursor=self.told.cursor())
        return heartbeat_frame(task_id=task_id, seq=self.told[task_id])

    def word(self, notice: Notice) -> Frame:
        """A notice for those who follow its task."""
        return notice.frame(self.told.get(notice.task_id))

    def word_for_all(self, notice: Notice) -> Frame:
        """A notice for those who follow all tasks."""
        return notice.frame(self.told.get(notice.task_id), self.told.cursor)

    def tell(self, notice: Notice) -> None:
        """Give a notice to all who follow its task."""
        topic = self._topics.get(notice.task_id)
        for one in topic.live if topic is not None else ():
            if one.only is None or one.only == notice.experiment_id:
                one.put_notice(notice, self.word)
        for one in self._everything.live:
            one.put_notice(notice, self.word_for_all)

    async def looked(self) -> None:
        """Wait until the log has been looked at once more."""
        await self._looked.wait()

    def end(self) -> None:
        """End all streams: the service ends. They are told what waits for them."""
        self._ended = True
        for topic in (*self._topics.values(), self._everything):
            for one in topic.live:
                one.end()

    # ---- reading

    async def read(self) -> None:
        """Read the log for ever, woken by what is appended."""
        async for woken in self._wakes:
            while True:
                try:
                    await self._look(woken)
                    self._looked.set()
                    self._looked = asyncio.Event()
                    break
                except AutotunerError as error:  # the database is away
                    _log.warning("events cannot be read: %s", error)
                await asyncio.sleep(RETRY_S)

    async def beat(self) -> None:
        """Once a second, for ever: heartbeats, and notices that had to wait."""
        beats = 0
        while True:
            await asyncio.sleep(TICK_S)
            beats += 1
            due = beats % HEARTBEAT_S == 0
            for task_id, topic in self._topics.items():
                self._beat(topic.live, self.heartbeat(task_id) if due else None, for_all=False)
            if self._everything.live:
                self._beat(self._everything.live, self.heartbeat(None) if due else None, for_all=True)

    def _beat(self, subscribers: Iterable[Subscriber], heartbeat: Frame | None, *, for_all: bool) -> None:
        for one in subscribers:
            if heartbeat is not None:
                one.put_latest(heartbeat.kind, heartbeat)
            one.next_second(self.word_for_all if for_all else self.word)

    async def _look(self, woken: dict[int, int]) -> None:
        """Read and tell what was appended to the tasks that woke us, or to any."""
        if woken and (not self.all_are_followed or all(task_id in self.told for task_id in woken)):
            behind = {
                task: self.told[task] for task, seq in woken.items() if task in self.told and seq > self.told[task]
            }
        else:
            behind = await self._behind()
        while behind:
            events = await self.log.log_after(behind, limit=PORTION)
            for event in events:
                self._tell_event(event)
            if len(events) < PORTION:
                return
            await asyncio.sleep(0)
            behind = {task_id: self.told[task_id] for task_id in behind if task_id in self.told}

    async def _behind(self) -> dict[int, int]:
        """Of all tasks that matter, those of which something is to be told, with what was told."""
        everything = self.all_are_followed
        if not everything and not self._topics:
            return {}
        now = await self.log.log_positions(None if everything else self.followed())
        if everything:
            for task_id in list(self.told):
                if task_id not in now and task_id not in self._topics:
                    self.told.remove(task_id)  # purged
        return {
            task_id: self.told.get(task_id)
            for task_id, last in now.items()
            if last > self.told.get(task_id) and (everything or task_id in self.told)
        }

    def _tell_event(self, event: Event) -> None:
        task_id = event.task_id
        if event.seq <= self.told.get(task_id) or not (task_id in self.told or self.all_are_followed):
            return
        topic = self._topics.get(task_id, Topic())
        if event.seq > self.told.get(task_id) + 1:
            self._tell_gap(topic, task_id, event.seq - 1)
        self.told[task_id] = event.seq
        frame = event_frame(event)
        for one in topic.live:
            if one.only is None or one.only == event.experiment_id:
                one.put(frame)
        if self._everything.live:
            framed = with_cursor(frame, self.told.cursor())
            for one in self._everything.live:
                one.put(framed)
        self.metrics.events.inc()
        self.metrics.latency.observe(max(0.0, time.time() - event.timestamp.timestamp()))

    def _tell_gap(self, topic: Topic, task_id: int, seq: int) -> None:
        """Events were moved away before they were read: a run was archived."""
        self.told[task_id] = seq
        if topic.live:
            frame = self.resync(MISSING, task_id)
            for one in topic.live:
                one.put(frame)
        if self._everything.live:
            self.metrics.resyncs.labels(MISSING).inc()
            framed = resync_frame(MISSING, task_id=task_id, seq=seq, cursor=self.told.cursor())
            for one in self._everything.live:
                one.put(framed)


async def _always(work: Callable[[], Awaitable[None]]) -> None:
    """Begin again after a mistake of ours: who follows must not wait for ever because of one event."""
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001
            _log.exception("the delivery of events begins again")
        await asyncio.sleep(RETRY_S)


@asynccontextmanager
async def feeding(log: EventLog, location: Location, metrics: LiveMetrics) -> AsyncIterator[Feed]:
    """A feed that reads as long as the context lasts."""
    async with listening(location) as wakes:
        feed = Feed(log, metrics, wakes)
        works = [asyncio.create_task(_always(work)) for work in (feed.read, feed.beat)]
        try:
            yield feed
        finally:
            feed.end()
            for work in works:
                work.cancel()
            for work in works:
                with suppress(asyncio.CancelledError):
                    await work
