"""A ``BenchmarkClient`` that is a program of its own: one run of it per load point and repeat."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from autotuner.benchmark.external.environment import client_environment
from autotuner.benchmark.external.probe import Probed, probe
from autotuner.benchmark.external.program import Ended, OverTimeError, last_lines, run_program
from autotuner.contracts.attempt import AttemptJob, Failure, FailureClass
from autotuner.contracts.client import ClientError, ClientPackage, OnProgress
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.workload import LoadPoint, Workload

RESULT_S = 120.0
"""Time that a client may need besides the load: to start, to compute, to draw."""
PROMPTS_OFF = 0.3
"""Prompts are made of words. Their mean length may differ from what was asked for by this share, not by more."""
OWN_FIELDS = ("model", "prompt", "messages", "max_tokens", "stream", "stream_options")
"""Fields of requests that the client sets itself."""
LOG = "client.log"
REDACTED = b"***"


@dataclass(frozen=True)
class Invocation:
    """One run of a client: what to measure, and the folder that is its own."""

    job: AttemptJob
    endpoint: Endpoint
    point: LoadPoint
    repeat: int
    path: str
    probed: Probed
    salt: str
    folder: Path
    artefacts: Path

    @property
    def body(self) -> dict[str, object]:
        """Fields for every request, without those that the client sets itself."""
        return {name: value for name, value in self.job.workload.request_body.items() if name not in OWN_FIELDS}

    @property
    def answer_s(self) -> float:
        """Time of one answer without load; the time limit of a request when none came."""
        answer = self.probed.answer
        return self.job.workload.limits.request_timeout_s if answer is None else max(answer.seconds, 1e-3)


@dataclass(frozen=True)
class Launch:
    """How a client is run: arguments of its Python, its own variables, the time that its load takes at most."""

    arguments: tuple[str, ...]
    env: Mapping[str, str]
    load_s: float


class Adapter(Protocol):
    """What is special to one client."""

    package: ClientPackage
    point_overhead_s: float

    def refusal(self, workload: Workload, completions_path: str) -> str | None:
        """See ``contracts.client.SeparateClient.refusal``."""

    def path(self, completions_path: str) -> str:
        """The path that the client sends its requests to."""

    async def prepare(self, run: Invocation) -> Launch:
        """Write what the client reads into the folder of the run."""

    def read(self, run: Invocation, ended: Ended) -> Measurement:
        """The measurement from the client's files. ClientError when there is none."""

    def kept(self, folder: Path) -> Sequence[Path]:
        """The client's own files that are kept beside its log."""


class ExternalClient:
    """Implements ``contracts.client.SeparateClient`` with an adapter."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    @property
    def name(self) -> str:
        """Registered name."""
        return self._adapter.package.name

    @property
    def package(self) -> ClientPackage:
        """What is installed for it."""
        return self._adapter.package

    @property
    def point_overhead_s(self) -> float:
        """Typical seconds per load point besides its window."""
        return self._adapter.point_overhead_s

    def refusal(self, workload: Workload, completions_path: str) -> str | None:
        """Why it cannot produce this load, in a sentence; None when it can."""
        return self._adapter.refusal(workload, completions_path)

    @asynccontextmanager
    async def open(self, cores: tuple[int, ...] | None) -> AsyncGenerator[ExternalSession]:
        """Nothing is started before it is needed: each measurement is a run of its own."""
        yield ExternalSession(self._adapter, cores)


class ExternalSession:
    """An open client."""

    def __init__(self, adapter: Adapter, cores: tuple[int, ...] | None) -> None:
        self._adapter = adapter
        self._cores = cores
        self._number = 0

    async def measure(
        self, job: AttemptJob, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
    ) -> AsyncIterator[Measurement]:
        """See ``contracts.client.ClientSession.measure``. There are no live figures: the client tells none."""
        name = self._adapter.package.name
        refused = self._adapter.refusal(job.workload, job.server.completions_path)
        if refused is not None:
            raise failed(FailureClass.UNSUPPORTED, f"{name} cannot produce this load: {refused}", "use another client")
        if job.client_python is None or not await asyncio.to_thread(Path(job.client_python).is_file):
            raise failed(FailureClass.CLIENT, f"{name} is not installed", f"run `autotuner client install {name}`")
        for point, repeat in job.remaining():
            self._number += 1
            salt = f"{job.workload.seed}/{job.task_id}/{job.attempt_id}/{self._number}"
            yield await self._measure(job, endpoint, point, repeat, artefacts, salt)

    async def _measure(
        self, job: AttemptJob, endpoint: Endpoint, point: LoadPoint, repeat: int, artefacts: Path, salt: str
    ) -> Measurement:
        path = self._adapter.path(job.server.completions_path)
        scenario = point.traffic.parts[0][1]
        body = {name: value for name, value in job.workload.request_body.items() if name not in OWN_FIELDS}
        probed = await probe(
            endpoint,
            path,
            body,
            tokens=max(round(scenario.prompt.expected), 1),
            output=max(round(scenario.output.expected), 1),
            salt=f"{salt}/probe",
            timeout_s=job.workload.limits.request_timeout_s,
        )
        if probed.answer is not None and probed.answer.output_tokens is None:
            raise failed(
                FailureClass.UNSUPPORTED,
                f"the server gives no usage figure, and {self._adapter.package.name} would guess what it received",
                "use a server that counts its tokens",
            )
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="autotuner-client-"))
        try:
            run = Invocation(job, endpoint, point, repeat, path, probed, salt, folder, artefacts)
            try:
                return await self._run(run)
            finally:
                await asyncio.to_thread(self._keep, run)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _run(self, run: Invocation) -> Measurement:
        name = self._adapter.package.name
        launch = await self._adapter.prepare(run)
        home = run.folder / "home"
        home.mkdir()
        limit_s = launch.load_s + RESULT_S
        log = run.folder / LOG
        try:
            ended = await run_program(
                [str(run.job.client_python), *launch.arguments],
                env=client_environment(os.environ, home, launch.env),
                folder=run.folder,
                log=log,
                limit_s=limit_s,
                cores=self._cores,
                own_folder=True,
            )
        except OverTimeError:
            raise failed(
                FailureClass.CLIENT,
                f"{name} had not finished after {limit_s:.0f} s and was ended",
                "look at its log among the artefacts; a server that hangs is told by the builtin client",
                _without(run.endpoint, last_lines(log)),
            ) from None
        except OSError as error:
            raise failed(
                FailureClass.CLIENT, f"{name} cannot be started: {error}", "look at disk and limits"
            ) from error
        found = await asyncio.to_thread(self._read, run, ended)
        _check_prompts(name, run, found)
        return found.model_copy(update={"client": name, "client_version": self._adapter.package.version})

    def _read(self, run: Invocation, ended: Ended) -> Measurement:
        name = self._adapter.package.name
        try:
            return self._adapter.read(run, ended)
        except ClientError as error:
            tail = _without(run.endpoint, last_lines(run.folder / LOG))
            raise ClientError(error.failure.model_copy(update={"log_tail": tail})) from error
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise failed(
                FailureClass.CLIENT,
                f"the result of {name} cannot be read: {type(error).__name__}: {error}",
                f"install the version that this program knows: `autotuner client install {name}`",
                _without(run.endpoint, last_lines(run.folder / LOG)),
            ) from error

    def _keep(self, run: Invocation) -> None:
        """Copy the client's files to the artefacts, without the key. What cannot be written costs no figures."""
        try:
            run.artefacts.mkdir(parents=True, exist_ok=True)
            kept = _next_folder(run.artefacts, self._adapter.package.name)
            secret = (run.endpoint.api_key or "").encode()
            for file in (run.folder / LOG, *self._adapter.kept(run.folder)):
                if not file.is_file():
                    continue
                content = file.read_bytes()
                if secret:
                    content = content.replace(secret, REDACTED)
                if file.suffix in (".json", ".jsonl"):
                    with gzip.open(kept / f"{file.name}.gz", "wb", compresslevel=3) as packed:
                        packed.write(content)
                else:
                    (kept / file.name).write_bytes(content)
        except OSError:
            return


def _check_prompts(name: str, run: Invocation, found: Measurement) -> None:
    """ClientError when the prompts were of quite another length than asked for: that is another load."""
    if not found.completed_requests:
        return
    asked = run.point.traffic.parts[0][1].prompt.expected
    sent = found.prompt_tokens / found.completed_requests
    if abs(sent - asked) > PROMPTS_OFF * asked:
        raise failed(
            FailureClass.CLIENT,
            f"the prompts of {name} had {sent:.0f} tokens as the server counts them, and {asked:.0f} were asked for",
            "ask for longer prompts: a chat template alone may be longer; or use the builtin client",
        )


def _next_folder(artefacts: Path, name: str) -> Path:
    """``<name>-<n>``: a finished one is never overwritten."""
    number = 0
    while True:
        folder = artefacts / f"{name}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
            continue
        return folder


def _without(endpoint: Endpoint, text: str) -> str:
    return text.replace(endpoint.api_key, REDACTED.decode()) if endpoint.api_key else text


def failed(kind: FailureClass, diagnosis: str, hint: str, log_tail: str = "") -> ClientError:
    """The error of a client that could not measure."""
    return ClientError(Failure(kind=kind, diagnosis=diagnosis, hint=hint, log_tail=log_tail))
