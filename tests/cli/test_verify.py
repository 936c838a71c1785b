"""``autotuner verify``: a winner measured again with another client, stored beside and in no score."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_runner import Commands, rest_of, three_lines, wait_for_line

from autotuner.benchmark.guidellm.client import PACKAGE
from autotuner.contracts.attempt import AttemptReason, AttemptStatus
from autotuner.mock_server import MockOptions, MockServer
from autotuner.services.clients import READY, environment
from autotuner.services.settings import load_settings
from autotuner.store import open_store
from benchmark_data import leaves

TASK = """
task_name: there
deployment_mode: endpoint
deployment: {{endpoint_url: "{url}"}}
model: {{served_name: mock}}
optimization: {{objective: maximize_throughput}}
benchmark:
  traffic_scenarios: ["D(100,64)"]
  num_concurrency: [1, 16]
  max_time_per_iteration: 1
  warmup_requests: 2
"""


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    """A mock server with the times of the recorded one, in a thread."""
    ready: list[str] = []
    begun, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with MockServer(MockOptions(ttft_s=0.05, token_s=0.01)) as server:
            ready.append(server.base_url)
            begun.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    begun.wait()
    yield ready[0]
    loop.call_soon_threadsafe(over.set)
    thread.join()


@pytest.fixture
def tuned(commands: Commands, server_url: str) -> Commands:
    """A data folder with one finished task of a server that somebody else runs."""
    ran = commands("run", commands.task_file(TASK.format(url=server_url)))
    assert ran.exit_code == 0, ran.output
    return commands


def pretend_installed(commands: Commands, script: str) -> None:
    """An environment of guidellm whose interpreter is a script."""
    folder = environment(PACKAGE, load_settings(commands.env))
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / "python").chmod(0o755)
    (folder / READY).write_text(json.dumps({"version": PACKAGE.version}))


def verifying(commands: Commands) -> list[tuple[AttemptStatus, str]]:
    """Status and client of the starts for verifications that are stored."""

    async def read() -> list[tuple[AttemptStatus, str]]:
        async with open_store(load_settings(commands.env).database) as store:
            rows = await store.list_attempts(1)
        return [
            (row.status, row.job.client) for row in rows if row.reason is AttemptReason.VERIFY and row.job is not None
        ]

    return asyncio.run(read())


def unended(commands: Commands) -> int:
    """How many starts look as if they ran: what another run would look for and end."""

    async def read() -> int:
        async with open_store(load_settings(commands.env).database) as store:
            return len(await store.unended_attempts())

    return asyncio.run(read())


def test_both_clients_are_shown_side_by_side_and_nothing_else_changes(tuned: Commands) -> None:
    before = json.loads(tuned("results", "there", "--json").stdout)
    assert before["verifications"] == []
    pretend_installed(tuned, leaves("guidellm-16-streams", "guidellm.json"))
    shown = tuned("verify", "there")
    assert shown.exit_code == 0, shown.output
    for text in ("builtin", "guidellm", "median ttft", "output throughput", "difference", "not judged"):
        assert text in shown.stdout
    after = json.loads(tuned("results", "there", "--json").stdout)
    (made,) = after.pop("verifications")
    before.pop("verifications")
    assert after == before, "no figure of the task has changed"
    assert (made["own_client"], made["client"], made["client_version"]) == ("builtin", "guidellm", PACKAGE.version)
    assert {figure["load_point"] for figure in made["figures"]} == {"D(100,64)@16"}, "the load that is scored, alone"
    figures = {figure["name"]: figure for figure in made["figures"]}
    ttft = figures["median ttft"]
    assert ttft["difference"] == pytest.approx(ttft["other"] / ttft["own"] - 1)
    assert figures["p99 ttft"]["agrees"] is None
    assert made["agrees"] == all(figure["agrees"] is not False for figure in made["figures"])
    assert verifying(tuned) == [(AttemptStatus.SUCCESS, "builtin"), (AttemptStatus.SUCCESS, "guidellm")]
    assert "guidellm 0.8.1" in tuned("results", "there").stdout
    page = tuned.folder / "page.html"
    assert tuned("report", "there", "-o", str(page)).exit_code == 0
    assert "The winner with another client" in page.read_text()
    assert tuned("run", str(tuned.folder / "task.yaml")).exit_code == 0
    assert json.loads(tuned("results", "there", "--json").stdout)["verifications"] == [made]


def test_a_second_verification_stands_beside_the_first(tuned: Commands) -> None:
    pretend_installed(tuned, leaves("guidellm-16-streams", "guidellm.json"))
    for _ in range(2):
        assert json.loads(tuned("verify", "there", "--json").stdout)["own_client"] == "builtin"
    rounds = [made["round"] for made in json.loads(tuned("results", "there", "--json").stdout)["verifications"]]
    assert rounds == [0, 1]


def test_a_client_that_fails_is_told_and_stored(tuned: Commands) -> None:
    pretend_installed(tuned, "echo it broke; exit 7")
    failed = tuned.spawn("verify", "there")
    assert failed.returncode == 2
    what, why, _ = three_lines(failed.stderr)
    assert "guidellm" in what
    assert "exit code 7" in why
    (made,) = json.loads(tuned("results", "there", "--json").stdout)["verifications"]
    assert made["figures"] == []
    assert not made["agrees"]
    assert "could not be compared" in tuned("results", "there").stdout


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_end_in_the_middle_leaves_no_client_and_no_verification(tuned: Commands, how: signal.Signals) -> None:
    fifo = tuned.folder / "pid"
    os.mkfifo(fifo)
    pretend_installed(tuned, f"echo $$ > {fifo}; exec sleep 1000")
    with tuned.started("verify", "there") as process:
        wait_for_line(process, "It answers; guidellm measures")
        client = os.pidfd_open(int(fifo.read_text()))
        try:
            process.send_signal(how)
            said = rest_of(process)
            code = process.wait()
            poll = select.poll()
            poll.register(client, select.POLLIN)
            assert poll.poll(60_000), "the client still runs"
        finally:
            os.close(client)
    assert code == (130 if how is signal.SIGINT else -signal.SIGKILL)
    assert unended(tuned) == (1 if how is signal.SIGKILL else 0)
    if how is signal.SIGINT:
        assert "No verification was stored" in said
        assert [status for status, _ in verifying(tuned)] == [AttemptStatus.SUCCESS, AttemptStatus.INTERRUPTED]
    assert json.loads(tuned("results", "there", "--json").stdout)["verifications"] == []
    python = environment(PACKAGE, load_settings(tuned.env)) / "bin" / "python"
    python.write_text(f"#!/bin/sh\n{leaves('guidellm-16-streams', 'guidellm.json')}\n")
    assert json.loads(tuned("verify", "there", "--json").stdout)["round"] == 1, "the next one is whole"
    assert unended(tuned) == 0


def test_what_cannot_be_verified_is_refused_before_anything_starts(tuned: Commands) -> None:
    missing = tuned.spawn("verify", "there")
    assert missing.returncode == 2
    assert "autotuner client install guidellm" in three_lines(missing.stderr)[2]
    unknown = tuned.spawn("verify", "nowhere")
    assert "no task 'nowhere'" in three_lines(unknown.stderr)[0]
    same = tuned.spawn("verify", "there", "--client", "builtin")
    assert "measured with builtin itself" in three_lines(same.stderr)[0]
    other = tuned.spawn("verify", "there", "--client", "genai-bench")
    assert "whole minutes" in three_lines(other.stderr)[1]
    assert verifying(tuned) == []


def test_predictions_cannot_be_verified(commands: Commands) -> None:
    assert commands("demo", "--set", "optimization.max_iterations=3").exit_code == 0
    refused = commands.spawn("verify", "demo")
    assert refused.returncode == 2
    assert "predictions" in three_lines(refused.stderr)[1]


def test_a_task_of_another_client_asks_for_it_before_anything_starts(commands: Commands, server_url: str) -> None:
    file = commands.task_file(TASK.format(url=server_url))
    refused = commands.spawn("run", file, "--set", "benchmark.engine=guidellm")
    assert refused.returncode == 2
    assert "autotuner client install guidellm" in three_lines(refused.stderr)[2]
    mixed = commands.spawn(
        "plan", file, "--set", "benchmark.engine=genai-bench", "--set", "benchmark.max_time_per_iteration=20"
    )
    assert "whole minutes" in three_lines(mixed.stderr)[1]
    assert not (Path(commands.env["AUTOTUNER_DATA_DIR"]) / "artefacts").exists()


def test_the_estimate_knows_that_another_client_takes_longer(commands: Commands, server_url: str) -> None:
    file = commands.task_file(TASK.format(url=server_url))
    usual = json.loads(commands("plan", file, "--json").stdout)
    slow = json.loads(commands("plan", file, "--set", "benchmark.engine=guidellm", "--json").stdout)
    assert slow["estimate_s"] > usual["estimate_s"] + 20
