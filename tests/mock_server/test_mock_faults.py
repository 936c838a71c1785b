"""Each fault does on the wire what it says, and the truth log says which it was."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from autotuner.mock_server import Fault, MockOptions, MockServer
from mock_server.raw import ask, connect, read_answer, request

QUICK = MockOptions(ttft_s=0.001, token_s=0.0005)


def failing(fault: Fault, **more: object) -> MockOptions:
    return QUICK.model_copy(update={"fault": fault, **more})


@pytest.mark.parametrize(
    ("fault", "status", "how", "tokens", "ended"),
    [
        (Fault.ERROR_500, 500, "whole", 0, "fault"),
        (Fault.ERROR_429, 429, "whole", 0, "fault"),
        (Fault.NO_ANSWER_CLOSE, 0, "truncated", 0, "fault"),
        (Fault.CUT, 200, "truncated", 4, "fault"),
        (Fault.RESET, 200, "reset", 4, "fault"),
        (Fault.EARLY_END, 200, "whole", 4, "fault"),
        (Fault.ERROR_PAYLOAD, 200, "whole", 4, "fault"),
        (Fault.ERROR_EVENT, 200, "whole", 4, "fault"),
        (Fault.NO_USAGE, 200, "whole", 8, "done"),
        (Fault.WRONG_USAGE, 200, "whole", 8, "done"),
        (Fault.EMPTY, 200, "whole", 0, "done"),
    ],
)
@pytest.mark.parametrize("cut_bytes", [None, 9])
async def test_what_comes_and_what_the_truth_says(
    fault: Fault, status: int, how: str, tokens: int, ended: str, cut_bytes: int | None
) -> None:
    async with MockServer(failing(fault, cut_bytes=cut_bytes)) as server:
        answer = await ask(server)
        await server.until(lambda: server.open_requests == 0)
        (truth,) = server.truth
    assert (truth.fault, truth.ended, truth.tokens) == (fault, ended, tokens)
    assert answer.how == how
    # After a reset the kernel may drop what came before it.
    assert answer.status == status or how == "reset"
    if status == 200:
        assert (truth.first is None) == (tokens == 0)


async def test_an_error_in_a_stream_comes_with_or_without_its_name() -> None:
    for fault, name in ((Fault.ERROR_PAYLOAD, None), (Fault.ERROR_EVENT, "error")):
        async with MockServer(failing(fault)) as server:
            *_, (event, data), done = (await ask(server)).events
        assert done == (None, "[DONE]")
        assert event == name
        assert json.loads(data)["error"]["type"] == "server_error"


async def test_usage_is_left_out_or_of_the_wrong_type_or_of_nothing() -> None:
    async with MockServer(failing(Fault.NO_USAGE)) as server:
        assert all(piece["usage"] is None for piece in (await ask(server)).pieces)
    async with MockServer(failing(Fault.WRONG_USAGE)) as server:
        assert (await ask(server)).usage == {"prompt_tokens": "3", "completion_tokens": "8", "total_tokens": "11"}
    async with MockServer(failing(Fault.EMPTY)) as server:
        answer = await ask(server)
    assert answer.text == ""
    assert answer.usage["completion_tokens"] == 0


async def test_too_many_requests_say_when_to_come_again() -> None:
    async with MockServer(failing(Fault.ERROR_429, retry_after_s=7)) as server:
        assert (await ask(server)).headers["retry-after"] == "7"


async def test_a_hang_writes_nothing_more_and_ends_with_the_client() -> None:
    for fault, tokens in ((Fault.HANG_BEFORE, 0), (Fault.HANG_MIDDLE, 4)):
        async with MockServer(failing(fault)) as server:
            reader, writer = await connect(server)
            writer.write(request(stream=True, max_tokens=8))
            await server.until(lambda: len(server.truth) == 1)
            if tokens:
                await reader.readuntil(b"delta ")
            assert server.open_requests == 1
            writer.close()
            await server.until(lambda: server.open_requests == 0)
            (truth,) = server.truth
        assert (truth.ended, truth.tokens) == ("closed", tokens)


async def test_a_trickle_never_ends() -> None:
    async with MockServer(failing(Fault.TRICKLE, trickle_s=0.001)) as server:
        reader, writer = await connect(server)
        writer.write(request(stream=True, max_tokens=8))
        for _ in range(30):
            await reader.readuntil(b"1\r\n:\r\n")
        writer.close()
        await server.until(lambda: server.open_requests == 0)
        assert (server.truth[0].tokens, server.truth[0].ended) == (4, "closed")


@pytest.mark.parametrize(
    ("fault", "how"), [(Fault.CUT, "truncated"), (Fault.EARLY_END, "truncated"), (Fault.ERROR_PAYLOAD, "whole")]
)
async def test_answers_without_streaming_go_wrong_too(fault: Fault, how: str) -> None:
    async with MockServer(failing(fault)) as server:
        answer = await ask(server, stream=False)
    assert (answer.status, answer.how) == (200, how)
    assert how == "truncated" or "error" in json.loads(answer.body)


async def test_shares_are_drawn_by_the_seed() -> None:
    faults = "error_500=0.2, cut=0.1"
    options = [MockOptions.model_validate({"faults": faults, "seed": seed}) for seed in (1, 1, 2)]
    one, same, other = ([made.fault_of(number) for number in range(1, 2001)] for made in options)
    assert one == same != other
    assert 0.17 < one.count(Fault.ERROR_500) / 2000 < 0.23
    assert 0.08 < one.count(Fault.CUT) / 2000 < 0.12
    async with MockServer(options[0].model_copy(update={"ttft_s": 0.0, "token_s": 0.0})) as server:
        answers = [await ask(server) for _ in range(20)]
        await server.until(lambda: server.open_requests == 0)
        assert [truth.fault for truth in server.truth] == one[:20]
    assert [answer.status == 500 for answer in answers] == [fault == Fault.ERROR_500 for fault in one[:20]]


@pytest.mark.parametrize("faults", ["cut=0.7,reset=0.7", "cut=-1", "nonsense=0.1", "cut=much"])
def test_impossible_shares_are_refused(faults: str) -> None:
    with pytest.raises(ValidationError):
        MockOptions.model_validate({"faults": faults})


async def test_after_enough_requests_nothing_listens() -> None:
    async with MockServer(QUICK.model_copy(update={"refuse_after": 2})) as server:
        kept = await connect(server)
        assert (await ask(server, kept)).status == 200
        assert (await ask(server, kept)).status == 200
        with pytest.raises(ConnectionRefusedError):
            await connect(server)
        assert (await ask(server, kept)).status == 200


async def test_requests_that_come_before_their_turn_are_answered_in_order() -> None:
    async with MockServer(QUICK) as server:
        reader, writer = await connect(server)
        writer.write(b"".join(request(stream=True, max_tokens=number) for number in (3, 1, 2)))
        usages = [(await read_answer(reader)).usage["completion_tokens"] for _ in range(3)]
        writer.close()
    assert usages == [3, 1, 2]
