"""The command: every option, TLS, several processes, and what ends them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from autotuner.cli.main import cli
from autotuner.mock_server import MockOptions, MockServer
from autotuner.mock_server.__main__ import main
from mock_server.raw import Answer, ask, read_answer, request

TLS = Path(__file__).parents[1] / "data" / "tls"
SURFACE = ("--surface", "qwen3_32b_h200", "--row", "tp=8", "--row", "max_num_seqs=8")


class Command:
    """A running mock server."""

    def __init__(self, process: asyncio.subprocess.Process, told: dict[str, Any]) -> None:
        self.process = process
        self.told = told
        self.rest = b""

    async def ask(self, **fields: Any) -> Answer:
        where = urlsplit(self.told["base_url"])
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(request(**{"stream": True, "max_tokens": 4, **fields}))
        answer = await read_answer(reader)
        writer.close()
        return answer

    async def end(self, signum: int = signal.SIGTERM) -> list[dict[str, Any]]:
        """What it says at its end; all of its processes have closed their output by then."""
        assert self.process.stdout is not None
        self.process.send_signal(signum)
        rest = await self.process.stdout.read()
        await self.process.wait()
        return [json.loads(line) for line in rest.splitlines()]


@asynccontextmanager
async def command(*words: str, program: tuple[str, ...] = ("autotuner", "mock-server")) -> AsyncIterator[Command]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *program, *words, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield Command(process, json.loads(await process.stdout.readline()))
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


@pytest.mark.parametrize("program", [("autotuner", "mock-server"), ("autotuner.mock_server",)])
def test_every_setting_is_an_option_with_a_text(program: tuple[str, ...]) -> None:
    runner = CliRunner()
    shown = runner.invoke(cli, ["mock-server", "--help"]) if len(program) == 2 else runner.invoke(main, ["--help"])
    assert shown.exit_code == 0
    words = set(shown.output.replace("/", " ").split())
    for name, field in MockOptions.model_fields.items():
        assert field.description
        assert ("--" + name.replace("_", "-") in words) == (name not in ("curve", "metrics"))


async def test_what_was_done_is_told_at_the_end(tmp_path: Path) -> None:
    async with command("--ttft-s", "0.001", "--token-s", "0.0001", "--log", str(tmp_path / "t.jsonl")) as server:
        assert (await server.ask()).usage["completion_tokens"] == 4
        (told,) = await server.end()
    assert server.process.returncode == 0
    assert (told["requests"], told["tokens"], told["pid"]) == (1, 4, server.process.pid)
    assert 0 < told["late_p50_s"] <= told["late_p99_s"] <= told["late_max_s"] + 1e-5
    assert told["cpu_s"] > 0
    (line,) = (tmp_path / "t.jsonl").read_text().splitlines()
    assert json.loads(line)["first_due"] <= json.loads(line)["first"]


async def test_a_surface_and_the_metrics_of_an_engine() -> None:
    async with command(*SURFACE, "--metrics-as", "vllm", "--model", "m") as server:
        where = urlsplit(server.told["base_url"])
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert b'vllm:num_requests_running{engine="0",model_name="m"} 0.0\n' in (await read_answer(reader)).body
        writer.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--faults", "cut=2"), "probabilities"),
        (("--fault", "nonsense"), "nonsense"),
        (("--token-spread", "normal"), "--token-spread: normal needs a width"),
        (("--tls-cert", "x"), "tls_cert and tls_key"),
        (("--tls-cert", "/nowhere", "--tls-key", "/nowhere"), "No such file"),
        (("--log", "/nowhere/truth.jsonl"), "No such file"),
        (("--row", "tp=2"), "--row needs --surface"),
        (("--surface", "none"), "no table of predictions"),
        (("--surface", "qwen3_32b_h200", "--row", "tp=7"), "no prediction"),
        ((*SURFACE, "--max-batch", "2"), "beside a curve"),
    ],
)
async def test_impossible_options_are_refused_in_a_sentence(words: tuple[str, ...], said: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "autotuner", "mock-server", *words), stderr=asyncio.subprocess.PIPE
    )
    _, text = await process.communicate()
    assert process.returncode == 2
    assert said in text.decode()
    assert "Traceback" not in text.decode()


async def test_tls() -> None:
    options = MockOptions(ttft_s=0.001, token_s=0.0, tls_cert=TLS / "cert.pem", tls_key=TLS / "key.pem", cut_bytes=50)
    trusting = ssl.create_default_context(cafile=TLS / "cert.pem")
    async with MockServer(options) as server:
        where = urlsplit(server.base_url)
        assert where.scheme == "https"
        secured = await asyncio.open_connection(where.hostname, where.port, ssl=trusting)
        for number in (3, 5):
            assert (await ask(server, secured, max_tokens=number)).usage["completion_tokens"] == number
        secured[1].close()
        plain = await asyncio.open_connection(where.hostname, where.port)
        assert (await ask(server, plain)).how in ("truncated", "reset")
        plain[1].close()
        assert [truth.tokens for truth in server.truth] == [3, 5]


async def test_processes_share_a_port_and_end_together(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    async with command("--processes", "3", "--ttft-s", "0", "--token-s", "0", "--log", str(log)) as server:
        assert len(set(server.told["pids"])) == 3
        answers = await asyncio.gather(*(server.ask() for _ in range(60)))
        told = await server.end()
    assert {answer.usage["completion_tokens"] for answer in answers} == {4}
    assert {entry["pid"] for entry in told} == set(server.told["pids"])
    assert sum(entry["requests"] for entry in told) == 60
    # 60 connections of one process alone would be a chance of 1 in 3^59.
    assert sum(entry["requests"] > 0 for entry in told) > 1
    logs = [log, log.with_suffix(".1.jsonl"), log.with_suffix(".2.jsonl")]
    assert server.told["logs"] == list(map(str, logs))
    assert sum(len(part.read_text().splitlines()) for part in logs) == 60


async def test_the_other_processes_do_not_outlive_a_killed_one() -> None:
    async with command("--processes", "2") as server:
        _, other = server.told["pids"]
        waiting = os.pidfd_open(other)
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(waiting, gone.set)
        await server.end(signal.SIGKILL)
        await gone.wait()
        asyncio.get_running_loop().remove_reader(waiting)
        os.close(waiting)
    assert server.process.returncode == -signal.SIGKILL
