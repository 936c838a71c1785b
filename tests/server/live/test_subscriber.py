"""What waits for one client."""

from __future__ import annotations

import asyncio

from autotuner.server.live import subscriber as module
from autotuner.server.live.frames import Frame, Notice, resync_frame
from autotuner.server.live.subscriber import Subscriber


def word(notice: Notice) -> Frame:
    return notice.frame(7)


def one() -> Subscriber:
    return Subscriber(lambda reason: resync_frame(reason, task_id=1, seq=99))


async def taken(subscriber: Subscriber) -> list[Frame]:
    frames: list[Frame] = []
    subscriber.end()
    while more := await subscriber.take():
        frames += more
    return frames


async def test_who_falls_too_far_behind_gets_a_resync_instead_of_all_that_waits() -> None:
    subscriber = one()
    fits = [subscriber.put(Frame("task_updated", str(number))) for number in range(module.MOST_WAITING + 1)]
    assert fits == [True] * module.MOST_WAITING + [False]
    subscriber.put(Frame("task_updated", "next"))
    first, second = await taken(subscriber)
    assert (first.kind, first.place, second.text) == ("resync", "99", "next")


async def test_frames_keep_their_order_whatever_is_taken_together() -> None:
    subscriber = one()
    for number in range(5 * module.AT_ONCE + 3):
        subscriber.put(Frame("task_updated", str(number)))
    assert [frame.text for frame in await taken(subscriber)] == [
        str(number) for number in range(5 * module.AT_ONCE + 3)
    ]


async def test_a_later_notice_takes_the_place_of_one_that_waits_and_comes_after_what_it_follows() -> None:
    subscriber = one()
    subscriber.put_notice(Notice("task_progress", 1, {"n": 1}), word)
    subscriber.put(Frame("task_updated", "event"))
    subscriber.put_notice(Notice("task_progress", 1, {"n": 2}), word)
    event, notice = await taken(subscriber)
    assert event.text == "event"
    assert '"n": 2' in notice.text


async def test_more_notices_than_a_second_may_have_wait_for_the_next_one() -> None:
    subscriber = one()
    for number in range(module.NOTICES_A_SECOND + 2):
        subscriber.put_notice(Notice("task_progress", number, {"n": 1}), word)
    assert len(await subscriber.take()) == module.NOTICES_A_SECOND
    late = module.NOTICES_A_SECOND
    subscriber.put_notice(Notice("task_progress", late, {"n": 2}), word)
    subscriber.next_second(word)
    frames = await taken(subscriber)
    assert sorted('"n": 2' in frame.text for frame in frames) == [False, True]


async def test_a_frame_is_written_at_once_only_when_none_is_before_it() -> None:
    subscriber, written, takes = one(), list[str](), [True]

    def write_now(frame: Frame) -> bool:
        if takes[0]:
            written.append(frame.text)
        return takes[0]

    async def frames() -> list[str]:
        return [frame.text for frame in await subscriber.take()]

    def put(*texts: str) -> None:
        for text in texts:
            subscriber.put(Frame("task_updated", text))

    subscriber.write_now = write_now
    put("first")
    assert await frames() == ["first"]
    put("while that is sent")
    assert await frames() == ["while that is sent"]
    waiting = asyncio.create_task(frames())
    await asyncio.sleep(0)
    put("at once", "at once too")
    subscriber.put_latest("pong", Frame("pong", "a reply"))
    takes[0] = False
    put("not taken")
    takes[0] = True
    put("after it")
    assert written == ["at once", "at once too", "a reply"]
    assert await waiting == ["not taken", "after it"]
    subscriber.end()
    put("when it has ended")
    assert await frames() == ["when it has ended"]
    assert written[3:] == []
