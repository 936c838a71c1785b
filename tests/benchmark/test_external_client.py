"""Clients that are programs of their own: how they are run, bounded, ended, and what is kept of them.

The programs here are small scripts, since what is tested is what is around them: none may be left, take for ever, or
leave the key. The real guidellm is run by ``test_real_guidellm``.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest

from autotuner.benchmark.external.program import OverTimeError, run_program
from autotuner.benchmark.registry import CLIENTS
from autotuner.contracts.attempt import AttemptJob, FailureClass
from autotuner.contracts.client import BenchmarkClient, ClientError, SeparateClient
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic
from autotuner.mock_server import Fault, MockServer
from benchmark_data import leaves, pretended
from conformance.client_suite import QUICK, endpoint, fixed, job, load, measure

OTHERS = ("guidellm", "genai-bench")
LEAVES = {
    "guidellm": leaves("guidellm-16-streams", "guidellm.json"),
    "genai-bench": f"mkdir run && {leaves('genai-bench-ok', 'run/D_text-to-text_num_concurrency_8_time_4s.json')}",
}
WAITS = "exec sleep 1000"


def work(python: str | None, *points: LoadPoint, **limits: Any) -> AttemptJob:
    usual = {"window_s": 2.0, "min_requests": 0, "max_requests": 100, "warmup_requests": 2}
    made = job(*(points or (load((1.0, fixed(100, 64)), concurrency=8),)), options={}, **{**usual, **limits})
    return made.model_copy(update={"client_python": python})


def client_of(name: str) -> BenchmarkClient:
    return CLIENTS.load(name)()


async def measured(name: str, of: AttemptJob, server: MockServer, folder: Path) -> list[Measurement]:
    async with client_of(name).open(None) as session:
        return await measure(session, of, endpoint(server, server.options.api_key), folder)


async def until_gone(pid: int) -> None:
    """Wait for the end of a process by the kernel's own notice."""
    with suppress(ProcessLookupError):
        await until_ended(os.pidfd_open(pid))


async def until_ended(descriptor: int) -> None:
    """The same for a process's descriptor, which is closed."""
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, gone.set)
    try:
        async with asyncio.timeout(60):
            await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def child_of(pid: int) -> int:
    """The first child of a process."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


async def pids_in(fifo: Path, count: int) -> list[int]:
    """Reads so many numbers from a named pipe, whose writers say that they run."""
    text = await asyncio.to_thread(_read_lines, fifo, count)
    return [int(line) for line in text]


def _read_lines(fifo: Path, count: int) -> list[str]:
    # For writing too, so that it does not end between two writers.
    with os.fdopen(os.open(fifo, os.O_RDWR), encoding="ascii") as file:
        return [file.readline() for _ in range(count)]


# ---- the guard


async def test_a_program_says_how_it_ended(tmp_path: Path) -> None:
    env, log = dict(os.environ), tmp_path / "log"
    good = await run_program(["/bin/sh", "-c", "echo said"], env=env, folder=tmp_path, log=log, limit_s=60)
    bad = await run_program(["/bin/sh", "-c", "exit 3"], env=env, folder=tmp_path, log=log, limit_s=60)
    killed = await run_program(["/bin/sh", "-c", "kill -9 $$"], env=env, folder=tmp_path, log=log, limit_s=60)
    missing = await run_program(["/no/such/program"], env=env, folder=tmp_path, log=log, limit_s=60)
    assert (good.code, bad.code, killed.code, missing.code) == (0, 3, -9, 127)
    assert log.read_text().splitlines()[0] == "said"
    assert "cannot start /no/such/program" in log.read_text()


async def test_a_program_is_pinned_and_heeds_signals_as_usual(tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    log = tmp_path / "log"
    script = "import os, signal; print(sorted(os.sched_getaffinity(0)), signal.getsignal(signal.SIGTERM))"
    command = [sys.executable, "-c", script]
    await run_program(command, env=dict(os.environ), folder=tmp_path, log=log, limit_s=60, cores=[core])
    assert log.read_text().strip() == f"[{core}] {signal.SIG_DFL!s}"


GRANDCHILDREN = "echo $$ > {fifo}; setsid sh -c 'echo $$ > {fifo}; exec sleep 1000' & exec sleep 1000"
"""Two processes, the second in a session of its own, each of which says its pid."""


async def test_what_a_program_started_ends_with_it(tmp_path: Path) -> None:
    fifo = tmp_path / "pids"
    os.mkfifo(fifo)
    script = f"setsid sh -c 'echo $$ > {fifo}; exec sleep 1000' & sleep 0.01"
    running = asyncio.create_task(
        run_program(
            ["/bin/sh", "-c", f"exec 3<>{fifo}; {script}; read line < {fifo}; echo $line"],
            env=dict(os.environ),
            folder=tmp_path,
            log=tmp_path / "log",
            limit_s=60,
        )
    )
    ended = await running
    assert ended.code == 0
    await until_gone(int((tmp_path / "log").read_text()))


@pytest.mark.parametrize("how", ["cancelled", "over time"])
async def test_a_program_and_all_it_started_end_when_it_is(tmp_path: Path, how: str) -> None:
    fifo = tmp_path / "pids"
    os.mkfifo(fifo)
    script = GRANDCHILDREN.format(fifo=fifo)
    running = asyncio.create_task(
        run_program(
            ["/bin/sh", "-c", script],
            env=dict(os.environ),
            folder=tmp_path,
            log=tmp_path / "log",
            limit_s=60 if how == "cancelled" else 5,
        )
    )
    pids = await pids_in(fifo, 2)
    if how == "cancelled":
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    else:
        with pytest.raises(OverTimeError):
            await running
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_killed_owner_leaves_nothing(tmp_path: Path) -> None:
    fifo = tmp_path / "pids"
    os.mkfifo(fifo)
    own = tmp_path / "own"
    own.mkdir()
    (own / "secret").write_text("of the program")
    owner = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import asyncio, os, pathlib, sys\n"
        "from autotuner.benchmark.external.program import run_program\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "asyncio.run(run_program(['/bin/sh', '-c', sys.argv[2]], env=dict(os.environ), folder=folder,"
        " log=folder / 'log', limit_s=1000, own_folder=True))\n",
        str(own),
        GRANDCHILDREN.format(fifo=fifo),
        stdout=subprocess.DEVNULL,
    )
    pids = await pids_in(fifo, 2)
    guard = child_of(owner.pid)
    watched = [os.pidfd_open(pid) for pid in (*pids, guard)]
    owner.kill()
    await owner.wait()
    for descriptor in watched:
        await until_ended(descriptor)
    assert not own.exists()


# ---- a measurement


@pytest.mark.parametrize("name", OTHERS)
async def test_measurements_come_in_order_and_bear_the_client(name: str, tmp_path: Path) -> None:
    python = pretended(tmp_path, LEAVES[name])
    points = (load((1.0, fixed(100, 64)), concurrency=8), load((1.0, fixed(100, 64)), concurrency=16))
    of = work(python, *points).model_copy(update={"done": ((points[0].name, 0),)})
    of = of.model_copy(update={"workload": of.workload.model_copy(update={"repeats": 2})})
    artefacts = tmp_path / "artefacts"
    async with MockServer(QUICK) as server:
        found = await measured(name, of, server, artefacts)
    assert [(m.load_point, m.repeat) for m in found] == [(points[0].name, 1), (points[1].name, 0), (points[1].name, 1)]
    client = client_of(name)
    assert isinstance(client, SeparateClient)
    assert {(m.client, m.client_version) for m in found} == {(name, client.package.version)}
    assert len({m.samples_path for m in found}) == 3
    assert len(list(artefacts.glob(f"{name}-*"))) == 3


@pytest.mark.parametrize("name", OTHERS)
async def test_the_key_is_in_no_argument_and_in_no_kept_file(name: str, tmp_path: Path) -> None:
    said = 'echo "arguments: $*"; echo "variables: $(env)"; cat scenario.json 2>/dev/null;'
    python = pretended(tmp_path, said + LEAVES[name])
    options = QUICK.model_copy(update={"api_key": "sesame-91"})
    artefacts = tmp_path / "artefacts"
    async with MockServer(options) as server:
        await measured(name, work(python), server, artefacts)
    log = (artefacts / f"{name}-0" / "client.log").read_text()
    told = log.partition("variables:")[0]
    assert "arguments:" in told
    assert "***" not in told, "a star stands where the key was"
    assert "***" in log, "the client got it as a variable"
    for file in artefacts.rglob("*"):
        if file.is_file():
            content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            assert b"sesame-91" not in content, file


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo it broke; exit 1", "left no result (exit code 1)"),
        ("echo '{}' > guidellm.json; mkdir run; echo '{}' > run/x_num_concurrency_8_.json", "cannot be read"),
        ("echo '{' > guidellm.json; mkdir run; echo '{' > run/x_num_concurrency_8_.json", "cannot be read"),
    ],
)
async def test_a_client_without_a_result_is_a_clear_failure(name: str, script: str, says: str, tmp_path: Path) -> None:
    async with MockServer(QUICK) as server:
        with pytest.raises(ClientError) as caught:
            await measured(name, work(pretended(tmp_path, script)), server, tmp_path / "artefacts")
    assert caught.value.failure.kind is FailureClass.CLIENT
    assert says in caught.value.failure.diagnosis
    if "broke" in script:
        assert "it broke" in caught.value.failure.log_tail


@pytest.mark.parametrize("name", OTHERS)
async def test_a_client_that_hangs_is_ended(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autotuner.benchmark.external.client.RESULT_S", -59.0 if name == "genai-bench" else -5.0)
    async with MockServer(QUICK) as server:
        with pytest.raises(ClientError, match="was ended"):
            await measured(name, work(pretended(tmp_path, WAITS)), server, tmp_path / "artefacts")


async def test_closing_the_iterator_ends_the_client(tmp_path: Path) -> None:
    fifo = tmp_path / "pids"
    os.mkfifo(fifo)
    python = pretended(tmp_path, f"echo $$ > {fifo}; {WAITS}")
    async with MockServer(QUICK) as server, client_of("guidellm").open(None) as session:
        run = session.measure(work(python), endpoint(server), tmp_path / "artefacts", lambda figures: None)
        async with aclosing(run) as measuring:
            first = asyncio.ensure_future(anext(measuring))
            (pid,) = await pids_in(fifo, 1)
            first.cancel()
            await asyncio.wait({first})
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("name", OTHERS)
async def test_a_client_that_is_not_installed_is_told(name: str, tmp_path: Path) -> None:
    async with MockServer(QUICK) as server:
        for python in (None, str(tmp_path / "nowhere")):
            with pytest.raises(ClientError, match="not installed") as caught:
                await measured(name, work(python), server, tmp_path)
            assert f"autotuner client install {name}" in caught.value.failure.hint
        assert server.truth == []


@pytest.mark.parametrize("name", OTHERS)
async def test_a_server_that_counts_nothing_is_refused(name: str, tmp_path: Path) -> None:
    async with MockServer(QUICK.model_copy(update={"usage": False})) as server:
        with pytest.raises(ClientError, match="no usage figure"):
            await measured(name, work(pretended(tmp_path, LEAVES[name])), server, tmp_path)


async def test_a_server_that_fails_is_left_to_the_client_to_count(tmp_path: Path) -> None:
    python = pretended(tmp_path, leaves("guidellm-all-500", "guidellm.json"))
    async with MockServer(QUICK.model_copy(update={"fault": Fault.ERROR_500})) as server:
        (found,) = await measured("guidellm", work(python, warmup_requests=0), server, tmp_path / "artefacts")
    assert found.error_codes == {"http_500": 24}
    assert found.ttft is None


async def test_guidellm_gets_prompts_of_the_asked_lengths(tmp_path: Path) -> None:
    script = "cat prompts.jsonl scenario.json; " + LEAVES["guidellm"]
    drawn = Scenario(
        text="U(50,60)/(8,16)",
        prompt=Length(kind="uniform", low=50, high=60),
        output=Length(kind="uniform", low=8, high=16),
    )
    of = work(
        pretended(tmp_path, script), LoadPoint(traffic=Traffic(text=drawn.text, parts=((1.0, drawn),)), concurrency=4)
    )
    artefacts = tmp_path / "artefacts"
    async with MockServer(QUICK.model_copy(update={"words_per_token": 0.5})) as server:
        await measured("guidellm", of, server, artefacts)
    lines = (artefacts / "guidellm-0" / "client.log").read_text().splitlines()
    prompts = [json.loads(line) for line in lines if line.startswith('{"prompt"')]
    beginnings = {" ".join(prompt["prompt"].split()[:2]) for prompt in prompts}
    assert len(prompts) > 100
    assert len(beginnings) == len(prompts)
    assert {len(prompt["prompt"].split()) for prompt in prompts} <= set(range(24, 31)), "two tokens per word"
    assert {prompt["output_tokens_count"] for prompt in prompts} == set(range(8, 17))
    scenario = json.loads(lines[-1].partition('{"metadata"')[1] + lines[-1].partition('{"metadata"')[2])["spec"]
    assert scenario["metrics"]["sample_size"] is None, "drawn lengths are checked against its requests"
    assert scenario["profile"] == {"kind": "concurrent", "streams": [4]}
    assert scenario["backend"]["extras"] == {"body": {"ignore_eos": True}}


@pytest.mark.parametrize(
    ("name", "point", "limits", "says"),
    [
        ("guidellm", load((0.7, fixed(10, 2)), (0.3, fixed(30, 4))), {}, "mixture"),
        ("genai-bench", load((0.7, fixed(10, 2)), (0.3, fixed(30, 4))), {}, "mixture"),
        ("genai-bench", load(concurrency=None, rate=2.0), {}, "no request rate"),
        ("genai-bench", load(), {"max_requests": None, "window_s": 20.0}, "whole minutes"),
        ("genai-bench", load(), {"min_requests": 10}, "min_requests"),
        (
            "genai-bench",
            load((1.0, Scenario(text="U", prompt=Length(mean=5), output=Length(kind="uniform", low=2, high=9)))),
            {},
            "every answer the same length",
        ),
    ],
)
async def test_a_load_that_it_cannot_produce_is_refused_before_anything_starts(
    name: str, point: LoadPoint, limits: dict[str, Any], says: str, tmp_path: Path
) -> None:
    of = work(pretended(tmp_path, LEAVES[name]), point, **limits)
    client = client_of(name)
    assert isinstance(client, SeparateClient)
    assert says in (client.refusal(of.workload, "/v1/completions") or "")
    async with MockServer(QUICK) as server:
        with pytest.raises(ClientError, match=says) as caught:
            await measured(name, of, server, tmp_path)
        assert server.truth == []
    assert caught.value.failure.kind is FailureClass.UNSUPPORTED
