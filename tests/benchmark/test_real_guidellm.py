"""The real guidellm against the mock server: its figures are the truth's, and what goes wrong is counted.

It is installed once, into a cache folder, by the command that users have: AUTOTUNER_CLIENTS_DIR names another one.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

import pytest

from autotuner.benchmark.guidellm.client import PACKAGE, GuidellmClient
from autotuner.contracts.attempt import AttemptJob
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.workload import LoadPoint
from autotuner.mock_server import Fault, MockOptions, MockServer
from autotuner.services.client_install import install_client
from autotuner.services.clients import python_of
from autotuner.services.settings import load_settings
from conformance.client_suite import endpoint, fixed, job, load, measure

pytestmark = pytest.mark.slow

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inference-autotuner-tests" / "clients"
TRUE = MockOptions(ttft_s=0.05, token_s=0.01)


@pytest.fixture(scope="module")
def python() -> str:
    """The interpreter of the installed client."""
    settings = load_settings({"AUTOTUNER_CLIENTS_DIR": str(CACHE), **os.environ})
    settings.clients_dir.mkdir(parents=True, exist_ok=True)
    with (settings.clients_dir / "tests.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes, and installing does not wait
        asyncio.run(install_client(PACKAGE, settings, lambda text: None))
    found = python_of(PACKAGE, settings)
    assert found is not None
    return str(found)


def work(python: str, point: LoadPoint, **limits: float) -> AttemptJob:
    made = job(point, options={}, **{"window_s": 3.0, "min_requests": 0, "request_timeout_s": 5.0, **limits})
    return made.model_copy(update={"client_python": python})


async def measured(of: AttemptJob, options: MockOptions, folder: Path) -> tuple[Measurement, MockServer]:
    async with MockServer(options) as server, GuidellmClient().open(None) as session:
        (found,) = await measure(session, of, endpoint(server, options.api_key), folder)
    return found, server


async def test_its_figures_are_those_of_the_server(python: str, tmp_path: Path) -> None:
    options = TRUE.model_copy(update={"api_key": "sesame-91"})
    of = work(python, load((1.0, fixed(100, 32)), concurrency=4), warmup_requests=8)
    found, server = await measured(of, options, tmp_path)
    done = [truth for truth in server.truth if truth.ended == "done" and truth.asked_tokens == 32]
    assert found.completed_requests == found.total_requests > 0
    assert found.total_requests <= len(done)
    assert found.output_tokens == 32 * found.completed_requests
    assert found.prompt_tokens == 100 * found.completed_requests, "words are as many tokens as the server counts"
    assert found.ttft is not None
    assert found.tpot is not None
    # Never sooner than the truth; how much later is the client's own, and a busy machine's.
    assert found.ttft.min >= 0.05
    assert found.tpot.mean == pytest.approx(0.01, rel=0.3)
    assert 0 < found.output_throughput <= 4 / 0.36 * 32 * 1.2
    assert (found.client, found.client_version) == ("guidellm", PACKAGE.version)
    beginnings = [truth.prompt[:12] for truth in server.truth]
    assert len(set(beginnings)) == len(beginnings)
    kept = {file.name for file in (tmp_path / "guidellm-0").iterdir()}
    assert kept == {"client.log", "guidellm.html", "guidellm.json.gz", "scenario.json.gz"}


@pytest.mark.parametrize(
    ("fault", "every", "code"),
    [
        (Fault.ERROR_500, 1, "http_500"),
        (Fault.ERROR_500, 4, "http_500"),
        (Fault.EARLY_END, 4, "truncated"),
        (Fault.CUT, 4, "truncated"),
        (Fault.ERROR_PAYLOAD, 4, "error_payload"),
    ],
)
async def test_what_goes_wrong_is_counted(python: str, tmp_path: Path, fault: Fault, every: int, code: str) -> None:
    options = MockOptions(ttft_s=0.02, token_s=0.002, fault=fault, fault_every=every)
    of = work(python, load((1.0, fixed(20, 8)), concurrency=2), max_requests=40, warmup_requests=0)
    found, _ = await measured(of, options, tmp_path)
    assert set(found.error_codes) == {code}
    assert found.error_requests == found.error_codes[code]
    if every == 1:
        assert (found.completed_requests, found.ttft) == (0, None)
    else:
        assert found.error_requests == pytest.approx(found.total_requests / every, abs=2)
        assert found.output_tokens == 8 * found.completed_requests > 0


async def test_requests_at_a_rate_count_from_their_time(python: str, tmp_path: Path) -> None:
    # One slot of some 60 ms per request, asked for every 40 ms: the queue, and with it ttft, grows.
    options = MockOptions(ttft_s=0.06, token_s=0.0, max_batch=1)
    point = load((1.0, fixed(10, 2)), concurrency=None, rate=25.0)
    of = work(python, point, warmup_requests=0)
    of = of.model_copy(update={"workload": of.workload.model_copy(update={"arrival": "constant"})})
    found, _ = await measured(of, options, tmp_path)
    assert found.ttft is not None
    assert found.ttft.max > 5 * found.ttft.min
