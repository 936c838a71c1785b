"""The mock server does what its options say, and logs what it did."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from autotuner.mock_server import Fault, MockOptions, MockServer

QUICK = MockOptions(ttft_s=0.002, token_s=0.001)


def call(url: str, fields: dict[str, object] | None = None, key: str | None = None) -> tuple[int, bytes]:
    where = urlsplit(url)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    with closing(HTTPConnection(str(where.hostname), where.port, timeout=30)) as connection:
        body = None if fields is None else json.dumps(fields)
        connection.request("GET" if fields is None else "POST", where.path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


async def ask(server: MockServer, path: str, fields: dict[str, object] | None = None, key: str | None = None) -> Any:
    status, body = await asyncio.to_thread(call, server.base_url + path, fields, key)
    return status, json.loads(body)


async def stream(server: MockServer, path: str, **fields: object) -> list[Any]:
    asked = {"stream": True, "stream_options": {"include_usage": True}, **fields}
    status, body = await asyncio.to_thread(call, server.base_url + path, asked)
    assert status == 200
    events = [line.removeprefix("data: ") for line in body.decode().split("\n\n") if line]
    assert events.pop() == "[DONE]"
    return [json.loads(event) for event in events]


async def test_plain_answers() -> None:
    async with MockServer(QUICK) as server:
        assert await ask(server, "/health") == (200, {"status": "ok"})
        _, models = await ask(server, "/v1/models")
        assert models["data"][0]["id"] == "mock"
        status, answer = await ask(server, "/v1/completions", {"prompt": [1, 2, 3], "max_tokens": 4})
        assert status == 200
        assert len(answer["choices"][0]["text"].split()) == 4
        assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        _, chat = await ask(
            server, "/v1/chat/completions", {"messages": [{"role": "user", "content": "a b"}], "max_tokens": 2}
        )
        assert chat["choices"][0]["message"]["content"].split() == ["alpha", "beta"]
        assert (await ask(server, "/nowhere"))[0] == 404
        assert (await ask(server, "/v1/completions", {"max_tokens": 0}))[0] == 400


@pytest.mark.parametrize(("per_chunk", "chunks"), [(1, 5), (2, 3), (8, 1)])
async def test_streams_carry_every_token(per_chunk: int, chunks: int) -> None:
    async with MockServer(QUICK.model_copy(update={"tokens_per_chunk": per_chunk})) as server:
        events = await stream(server, "/v1/completions", prompt="one two", max_tokens=5)
        (truth,) = server.truth
    texts = [event["choices"][0]["text"] for event in events if event["choices"]]
    assert len([piece for piece in texts if piece]) == chunks
    assert len("".join(texts).split()) == 5
    assert events[-1]["usage"]["completion_tokens"] == 5
    assert truth.tokens == 5
    assert truth.ended == "done"
    assert truth.first is not None
    assert truth.first - truth.received >= 0.002
    assert truth.last is not None


async def test_chat_streams_begin_with_the_role() -> None:
    async with MockServer(QUICK) as server:
        events = await stream(server, "/v1/chat/completions", messages=[{"role": "user", "content": "x"}], max_tokens=2)
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [event["choices"][0]["delta"].get("content") for event in events[1:3]] == ["alpha ", "beta "]


async def test_every_kth_answer_fails() -> None:
    async with MockServer(QUICK.model_copy(update={"fault": Fault.ERROR_500, "fault_every": 3})) as server:
        codes = [(await ask(server, "/v1/completions", {"prompt": "a", "max_tokens": 1}))[0] for _ in range(6)]
    assert codes == [200, 200, 500, 200, 200, 500]


async def test_the_key_is_asked_for() -> None:
    async with MockServer(QUICK.model_copy(update={"api_key": "k"})) as server:
        assert (await ask(server, "/v1/models"))[0] == 401
        assert (await ask(server, "/v1/models", key="k"))[0] == 200
        assert (await ask(server, "/health"))[0] == 200


async def test_a_full_batch_makes_the_others_wait_in_order() -> None:
    options = MockOptions(ttft_s=0.01, token_s=0.001, max_batch=2)
    async with MockServer(options) as server:
        await asyncio.gather(*(stream(server, "/v1/completions", prompt="a", max_tokens=3) for _ in range(6)))
        truths = server.truth
    spans = [(truth.first or 0.0, truth.last or 0.0) for truth in truths]
    # The third to start cannot have its first token before one of the first two has had its last.
    for number in range(2, 6):
        assert sum(last <= spans[number][0] for _, last in spans[:number]) >= number - 1
    assert [first for first, _ in spans] == sorted(first for first, _ in spans)


async def test_the_command_prints_its_address_and_logs_the_truth(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    options = [
        "--port",
        "0",
        "--ttft-s",
        "0.001",
        "--token-s",
        "0",
        "--log",
        str(log),
        "--no-usage",
        "--model",
        "named",
    ]
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "autotuner.mock_server", *options, "--log", str(log), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        address = json.loads(await server.stdout.readline())["base_url"]
        fields: dict[str, object] = {"prompt": "a b c", "max_tokens": 2}
        _, answer = await asyncio.to_thread(call, f"{address}/v1/completions", fields)
    finally:
        server.terminate()
        code = await server.wait()
    assert code == 0
    assert "usage" not in json.loads(answer)
    assert json.loads(answer)["model"] == "named"
    (line,) = log.read_text().splitlines()
    assert json.loads(line)["prompt_tokens"] == 3
    assert json.loads(line)["ended"] == "done"


async def test_impossible_options_are_refused() -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "autotuner.mock_server", "--ttft-s", "-1", stderr=asyncio.subprocess.PIPE
    )
    _, text = await server.communicate()
    assert server.returncode == 2
    assert b"--ttft-s: Input should be greater than or equal to 0" in text
