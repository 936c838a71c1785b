"""Somebody else's server: nothing is started and nothing is stopped."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from autotuner.contracts.attempt import AttemptJob, Failure, FailureClass, Handle, ServerFacts
from autotuner.contracts.deployment import DeploymentError, DeploymentStats, Endpoint, OnHandle
from autotuner.deploy.probe import NOT_YET, POLL_S, completion, has_choice, served_models, with_version

KEY_VARIABLE = "AUTOTUNER_ENDPOINT_API_KEY"
KEY_OPTION = "endpoint_api_key"
"""Option of the job that names the variable with the key: ``env:NAME``."""


@dataclass(frozen=True)
class _Target:
    endpoint: Endpoint
    server: ServerFacts


class EndpointDeployment:
    """Measures a server that runs already. The key comes from the environment and is never stored."""

    name = "endpoint"

    def __init__(self) -> None:
        self._targets: dict[int, _Target] = {}

    async def start(self, job: AttemptJob, on_handle: OnHandle) -> Handle:
        """See the protocol. BAD_ARGUMENT for an address that is none."""
        base_url = _base_url(job)
        endpoint = Endpoint(base_url, job.served_name, _key(job))
        handle = Handle(deployment=self.name, fields={"base_url": base_url, "attempt_id": job.attempt_id})
        await on_handle(handle)
        self._targets[job.attempt_id] = _Target(endpoint, job.server)
        return handle

    async def wait_ready(self, handle: Handle, timeout_s: float) -> Endpoint:
        """Ask for one token. Waits only for a server that says it is busy or starting."""
        target = self._targets.get(_attempt(handle))
        if target is None:
            raise _error(
                FailureClass.INFRASTRUCTURE, "this server was not looked up by this process", "start the attempt again"
            )
        state = "it does not answer"
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    answer = await completion(target.endpoint, target.server, timeout_s)
                    if answer.status == 200 and has_choice(answer):
                        return await with_version(target.endpoint, target.server)
                    if answer.status not in NOT_YET:
                        break
                    state = f"it answers with HTTP {answer.status}: {answer.text}"
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            raise _error(
                FailureClass.UNREACHABLE,
                f"{target.endpoint.base_url} gave no completion within {timeout_s:g} s: {state}",
                "check that the server is up and not overloaded",
            ) from error
        except OSError as error:
            raise _unreachable(target.endpoint.base_url, error) from error
        raise await _refused(target, answer.status, answer.text)

    async def failure(self, handle: Handle) -> Failure | None:
        """None: what happens to somebody else's server is not known here."""
        return None

    async def log_tail(self, handle: Handle, max_bytes: int = 4096) -> str:
        """Empty: its log is not at hand."""
        return ""

    async def stats(self, handle: Handle) -> DeploymentStats:
        """Unknown."""
        return DeploymentStats()

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """Forgets the server; it goes on running."""
        self._targets.pop(_attempt(handle), None)

    async def clean(self, handle: Handle) -> bool:
        """False: nothing was started."""
        return False


def _attempt(handle: Handle) -> int:
    value = handle.fields.get("attempt_id")
    return value if isinstance(value, int) else -1


def _base_url(job: AttemptJob) -> str:
    url = (job.endpoint_url or "").strip().rstrip("/")
    parts = urlsplit(url)
    try:
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise _error(
            FailureClass.BAD_ARGUMENT,
            f"{job.endpoint_url!r} is no address of a server",
            "give the address as http://host:port",
        )
    # The paths of the server begin with /v1 themselves.
    if job.server.completions_path.startswith("/v1/"):
        url = url.removesuffix("/v1")
    return url


def _key(job: AttemptJob) -> str | None:
    reference = job.options.get(KEY_OPTION)
    if reference is None:
        return os.environ.get(KEY_VARIABLE) or None
    name = reference.removeprefix("env:") if isinstance(reference, str) and reference.startswith("env:") else None
    if not name:
        raise _error(
            FailureClass.BAD_ARGUMENT,
            f"{KEY_OPTION} must name an environment variable",
            "write it as env:NAME; a key itself does not belong into a document",
        )
    key = os.environ.get(name)
    if not key:
        raise _error(
            FailureClass.BAD_ARGUMENT,
            f"the environment variable {name} with the key of the server is not set",
            f"set {name} before the start",
        )
    return key


def _unreachable(base_url: str, error: OSError) -> DeploymentError:
    if isinstance(error, socket.gaierror):
        host = urlsplit(base_url).hostname
        return _error(
            FailureClass.UNREACHABLE, f"the host {host} is unknown: {error.strerror}", "check the host's name"
        )
    if isinstance(error, ssl.SSLError):
        return _error(
            FailureClass.UNREACHABLE,
            f"no secure connection to {base_url}: {error.reason or error}",
            "check the certificate, or whether the server speaks http instead of https",
        )
    if isinstance(error, ConnectionRefusedError):
        return _error(
            FailureClass.UNREACHABLE, f"nothing listens at {base_url}", "start the server, or correct the address"
        )
    return _error(FailureClass.UNREACHABLE, f"{base_url} does not answer: {error}", "check the address and the network")


async def _refused(target: _Target, status: int, text: str) -> DeploymentError:
    """Why a server that answers does not complete."""
    base_url, model = target.endpoint.base_url, target.endpoint.model
    if status in (401, 403):
        return _error(
            FailureClass.BAD_ARGUMENT,
            f"{base_url} refuses the key (HTTP {status})" if target.endpoint.api_key else f"{base_url} asks for a key",
            f"set the environment variable {KEY_VARIABLE} to the server's key",
        )
    served = await served_models(target.endpoint, target.server)
    if served and model not in served:
        return _error(
            FailureClass.BAD_ARGUMENT,
            f"{base_url} does not serve the model {model!r} (HTTP {status})",
            f"it serves: {', '.join(served[:10])}",
        )
    if status in (404, 405):
        return _error(
            FailureClass.BAD_ARGUMENT,
            f"{base_url} has no {target.server.completions_path} (HTTP {status})",
            "give the address in front of /v1, and check that the server speaks the OpenAI API",
        )
    return _error(
        FailureClass.UNREACHABLE,
        f"{base_url} answers a completion with HTTP {status}: {text or 'nothing'}",
        "look into the server's log",
    )


def _error(kind: FailureClass, diagnosis: str, hint: str) -> DeploymentError:
    return DeploymentError(Failure(kind=kind, diagnosis=diagnosis, hint=hint))
