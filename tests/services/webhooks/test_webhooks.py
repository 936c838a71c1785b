"""Ends of tasks are told once, signed, also after failures and restarts, and never to private networks unasked."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from autotuner.contracts.store import EventType, NewEvent, NewTask, TaskStatus
from autotuner.contracts.webhooks import DeliveryState
from autotuner.services.settings import Settings, Webhook
from autotuner.services.webhooks.addresses import RefusedAddressError, is_public, resolve
from autotuner.services.webhooks.delivering import SEEN, WAITS_S, Deliveries, send_test
from autotuner.store.sql_store import SqlStore, open_store

KEY = "key-of-the-signature"


@dataclass
class Receiver:
    """Takes requests and answers with the statuses that it is given, then with 200."""

    address: str = ""
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        self.got.append((headers, body))
        status = self.statuses.pop(0) if self.statuses else 200
        moved = f"Location: {self.address}/moved\r\n" if status == 307 else ""
        writer.write(f"HTTP/1.1 {status} X\r\n{moved}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with await asyncio.start_server(receiver.take, "127.0.0.1", 0) as server:
        receiver.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield receiver


class Clock:
    """The time of the store; can be moved on."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def settings_for(folder: Path, receiver: Receiver) -> Settings:
    signed = Webhook(name="signed", url=f"{receiver.address}/hook?x=1", secret="env:HOOK_KEY", allow_private=True)
    return Settings(data_dir=folder, database=str(folder / "a.db"), webhooks=(signed,))


async def end_task(store: SqlStore, name: str, status: TaskStatus = TaskStatus.COMPLETED) -> int:
    task = await store.create_task(NewTask(name=name, document={}, fingerprint=name))
    event = NewEvent(type=EventType(f"task_{status.value}"), data={"best": 1.5})
    await store.change_task(task.id, event, expected=[TaskStatus.PENDING], status=status)
    return task.id


async def deliver(deliveries: Deliveries) -> None:
    await deliveries.look()
    while await deliveries.deliver_one():
        pass


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_KEY", KEY)


async def test_an_end_is_told_once_and_signed(tmp_path: Path) -> None:
    async with receiving() as receiver, open_store(str(tmp_path / "a.db")) as store:
        settings = settings_for(tmp_path, receiver)
        await end_task(store, "before")
        await deliver(Deliveries(store, settings))
        assert receiver.got == []  # what ended before there was a webhook is not told
        task_id = await end_task(store, "one")
        await end_task(store, "two", TaskStatus.FAILED)
        await deliver(Deliveries(store, settings))
        await deliver(Deliveries(store, settings))
        assert [headers["x-autotuner-event"] for headers, _ in receiver.got] == ["task_completed", "task_failed"]
        headers, body = receiver.got[0]
        told = json.loads(body)
        assert told["task"] == {"id": task_id, "name": "one", "status": "completed"}
        assert told["event"]["data"] == {"best": 1.5}
        assert headers["host"] == receiver.address.removeprefix("http://")
        assert headers["x-autotuner-delivery"] == f"signed:{task_id}:{told['event']['seq']}"
        given = dict(part.split("=") for part in headers["x-autotuner-signature"].split(","))
        expected = hmac.new(KEY.encode(), f"{given['t']}.".encode() + body, hashlib.sha256).hexdigest()
        assert given["v1"] == expected
        page = await store.list_deliveries("signed", page=1, size=10)
        assert {one.state for one in page.items} == {DeliveryState.DELIVERED}


async def test_a_delivery_that_fails_is_tried_again_across_restarts_and_given_up_in_the_end(tmp_path: Path) -> None:
    clock = Clock()
    async with receiving() as receiver:
        settings = settings_for(tmp_path, receiver)
        async with open_store(settings.database, clock=clock) as store:
            await deliver(Deliveries(store, settings))
            await end_task(store, "one")
            receiver.statuses = [500, 307, *[503] * 20]
            await deliver(Deliveries(store, settings))
            await deliver(Deliveries(store, settings))
        assert len(receiver.got) == 1  # it waits
        for wait_s in WAITS_S:
            clock.ahead += timedelta(seconds=wait_s)
            async with open_store(settings.database, clock=clock) as store:
                await deliver(Deliveries(store, settings))
        assert len(receiver.got) == len(WAITS_S) + 1
        assert all(b"/moved" not in body for _, body in receiver.got)
        async with open_store(settings.database, clock=clock) as store:
            (failed,) = (await store.list_deliveries("signed", page=1, size=10)).items
            assert (failed.state, failed.error) == (DeliveryState.FAILED, "it answered 503")


async def test_what_was_being_sent_when_the_service_died_is_sent_again(tmp_path: Path) -> None:
    clock = Clock()
    async with receiving() as receiver:
        settings = settings_for(tmp_path, receiver)
        async with open_store(settings.database, clock=clock) as store:
            await Deliveries(store, settings).look()
            await end_task(store, "one")
            await Deliveries(store, settings).look()
            assert await store.take_delivery(["signed"], lease_s=60) is not None  # and then it died
            await deliver(Deliveries(store, settings))
            assert receiver.got == []
            clock.ahead = timedelta(seconds=61)
            await deliver(Deliveries(store, settings))
            assert len(receiver.got) == 1


async def test_private_addresses_are_refused_unless_allowed(tmp_path: Path) -> None:
    async with receiving() as receiver:
        webhook = Webhook(name="a", url=f"{receiver.address}/x")
        sent = await send_test([webhook], "a")
        assert sent.status is None
        assert "no public address" in (sent.error or "")
        named = webhook.model_copy(update={"url": webhook.url.replace("127.0.0.1", "localhost")})
        assert "no public address" in ((await send_test([named], "a")).error or "")
        assert receiver.got == []
        assert (await send_test([webhook.model_copy(update={"allow_private": True})], "a")).status == 200
        assert len(receiver.got) == 1
        with pytest.raises(RefusedAddressError):
            await resolve("no-such-host.invalid", 80, allow_private=True)


async def test_a_secret_that_is_missing_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK_KEY")
    async with receiving() as receiver:
        (webhook,) = settings_for(tmp_path, receiver).webhooks
        assert "HOOK_KEY is not set" in ((await send_test([webhook], "signed")).error or "")
        assert receiver.got == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2600::1", True),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.1", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::8.8.8.8", True),
        ("2002:0a00:0001::", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


async def test_a_damaged_file_of_what_was_served_begins_anew(tmp_path: Path) -> None:
    async with receiving() as receiver, open_store(str(tmp_path / "a.db")) as store:
        settings = settings_for(tmp_path, receiver)
        (settings.data_dir / SEEN).write_text("[1")
        await deliver(Deliveries(store, settings))
        await end_task(store, "one")
        await deliver(Deliveries(store, settings))
        assert len(receiver.got) == 1
