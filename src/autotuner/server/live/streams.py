"""One client's stream of frames: what it missed, read at its own pace, and then what happens, without a gap between."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from autotuner.contracts.event_log import LogBounds
from autotuner.contracts.store import Event
from autotuner.server.live.cursor import Positions
from autotuner.server.live.feed import MISSING, PORTION, Feed, Topic
from autotuner.server.live.frames import Frame, event_frame, heartbeat_frame, resync_frame, with_cursor
from autotuner.server.live.subscriber import Subscriber

BELOW = "below_horizon"
AHEAD = "ahead_of_log"


@dataclass(frozen=True)
class Stream:
    """Frames in portions, and the queue in which answers to what the client says are put."""

    frames: AsyncGenerator[list[Frame], None]
    subscriber: Subscriber


def task_stream(
    feed: Feed, task_id: int, bounds: LogBounds, *, since: int | None = None, only: int | None = None
) -> Stream:
    """Events of a task after ``since`` (None: from now on), or those of one of its experiments.

    The first frame is a heartbeat, which says where the log ends. A resync comes before what follows when events after
    ``since`` are no longer stored, or when the log has not come as far. ``bounds`` were read just now.
    """
    subscriber = feed.subscriber(task_id, only)
    return Stream(_of_task(feed, task_id, bounds, subscriber, since, only), subscriber)


def all_stream(feed: Feed, *, since: Positions | None = None) -> Stream:
    """Events of all tasks after the positions of a cursor (None: from now on); each frame has a cursor."""
    subscriber = feed.subscriber(None)
    return Stream(_of_all(feed, subscriber, since), subscriber)


async def _of_task(
    feed: Feed, task_id: int, bounds: LogBounds, subscriber: Subscriber, since: int | None, only: int | None
) -> AsyncGenerator[list[Frame], None]:
    with feed.following(task_id, bounds.last) as topic:
        told = bounds.last if since is None else since
        lost = BELOW if told < bounds.first - 1 else AHEAD if told > bounds.last else None
        await _caught_up(feed, {task_id: min(told, bounds.last)})
        if lost is not None:
            yield [feed.resync(lost, task_id)]
            told = feed.told[task_id]
        else:
            yield [heartbeat_frame(task_id=task_id, seq=told)]
        while told < feed.told[task_id]:
            events = await _portion(feed, {task_id: told})
            if not events or events[0].seq != told + 1:
                yield [feed.resync(MISSING, task_id)]
                told = feed.told[task_id]
                continue
            told = events[-1].seq
            frames = [event_frame(event) for event in events if only is None or event.experiment_id == only]
            if frames:
                yield frames
        # Nothing was awaited since the two were found to agree.
        async with aclosing(_live(topic, subscriber)) as live:
            async for frames in live:
                yield frames


async def _of_all(feed: Feed, subscriber: Subscriber, since: Positions | None) -> AsyncGenerator[list[Frame], None]:
    async with feed.following_all() as topic:
        told = Positions(feed.told.items()) if since is None else await _positions(feed, since)
        yield [heartbeat_frame(cursor=told.cursor())]
        while behind := _behind(feed, told):
            events = await _portion(feed, behind)
            frames = [frame for event in events for frame in _next_of_all(feed, told, event)]
            for task_id in list(behind)[: 1 if not events else 0]:
                # Its events went while we read: they were moved to an archived run, or purged.
                frames += _skipped(feed, told, task_id, MISSING, feed.told.get(task_id))
            yield frames
        async with aclosing(_live(topic, subscriber)) as live:
            async for frames in live:
                yield frames


async def _live(topic: Topic, subscriber: Subscriber) -> AsyncGenerator[list[Frame], None]:
    topic.live.add(subscriber)
    try:
        while frames := await subscriber.take():
            yield frames
    finally:
        topic.live.discard(subscriber)


async def _positions(feed: Feed, since: Positions) -> Positions:
    """Where a client stands, of the tasks that there are; of what it has not seen, nothing was told."""
    ahead = {task_id: seq for task_id, seq in since.items() if task_id in feed.told and seq > feed.told[task_id]}
    if ahead:
        stored = await feed.log.log_positions(ahead)
        await _caught_up(feed, {task_id: min(seq, stored.get(task_id, 0)) for task_id, seq in ahead.items()})
    return Positions((task_id, since.get(task_id)) for task_id, _ in feed.told.items())


def _behind(feed: Feed, told: Positions) -> dict[int, int]:
    return {task_id: told.get(task_id) for task_id, last in feed.told.items() if told.get(task_id) != last}


def _next_of_all(feed: Feed, told: Positions, event: Event) -> list[Frame]:
    """The frame of an event that is read again for one client, after a resync where some are no longer there."""
    frames = []
    if event.seq != told.get(event.task_id) + 1:
        frames += _skipped(feed, told, event.task_id, BELOW, event.seq - 1)
    told[event.task_id] = event.seq
    return [*frames, with_cursor(event_frame(event), told.cursor())]


def _skipped(feed: Feed, told: Positions, task_id: int, reason: str, seq: int) -> list[Frame]:
    feed.metrics.resyncs.labels(reason).inc()
    told[task_id] = seq
    return [resync_frame(reason, task_id=task_id, seq=seq, cursor=told.cursor())]


async def _portion(feed: Feed, behind: Mapping[int, int]) -> list[Event]:
    """Events as far as the feed has told; what comes after them it tells itself."""
    events = await feed.log.log_after(behind, limit=PORTION)
    return [event for event in events if event.seq <= feed.told.get(event.task_id)]


async def _caught_up(feed: Feed, wanted: Mapping[int, int]) -> None:
    """Wait until the feed has told what a client has seen already: another process told it first."""
    while any(seq > feed.told.get(task_id) for task_id, seq in wanted.items()) and not feed.ended:
        await feed.looked()
