"""One job inside the worker: look the server up, calibrate the prompts, measure the points in order."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from autotuner.benchmark.builtin.exchange import Exchange
from autotuner.benchmark.builtin.point import measure_point
from autotuner.benchmark.builtin.prompts import Bodies, Calibration
from autotuner.benchmark.builtin.sender import Sender, Target
from autotuner.benchmark.builtin.together import Together
from autotuner.benchmark.builtin.wire import Measure
from autotuner.contracts.attempt import Failure, FailureClass
from autotuner.contracts.client import ClientError
from autotuner.contracts.values import Frozen

PROBE_WORDS = (32, 288)
HANDSHAKE_S = 10.0


async def run_job(order: Measure, together: Together, send: Callable[[Frozen], None]) -> None:
    """Take the measurements of the order one after the other, and send figures and results.

    ClientError for an address that cannot be used.
    """
    parts = urlsplit(order.base_url)
    target = await _resolve(order.base_url)
    bodies = Bodies(
        host=parts.netloc.rpartition("@")[2],
        path=parts.path.rstrip("/") + order.path,
        api_key=order.api_key,
        model=order.model,
        extra=order.workload.request_body,
        salt=f"{order.salt}/{order.number}" + (f"/{together.index}" if together.index else ""),
        token_ids=order.prompt_token_ids,
    )
    if bodies.needs_calibration:
        bodies.calibration = await _calibrate(bodies, target, order.workload.limits.request_timeout_s)
    for point, repeat in order.remaining:
        await measure_point(order, point, repeat, target=target, bodies=bodies, together=together, send=send)


async def _resolve(base_url: str) -> Target:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClientError(
            Failure(
                kind=FailureClass.UNSUPPORTED,
                diagnosis=f"{base_url!r} is not an address that the builtin client can use",
                hint="give an address that starts with http:// or https://",
            )
        )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=1)
    except OSError as error:
        raise ClientError(
            Failure(
                kind=FailureClass.UNREACHABLE,
                diagnosis=f"the host {parts.hostname!r} has no address: {error}",
                hint="check the address of the endpoint and the name service",
            )
        ) from error
    target = Target(address=str(found[0][4][0]), port=port, host=parts.hostname, tls=tls)
    if tls is not None:
        await _check_certificate(target)
    return target


async def _check_certificate(target: Target) -> None:
    """ClientError for a certificate that is not to be trusted: every request would fail. Any other fault is counted."""
    try:
        async with asyncio.timeout(HANDSHAKE_S):
            _, writer = await asyncio.open_connection(
                target.address, target.port, ssl=target.tls, server_hostname=target.host
            )
    except ssl.SSLCertVerificationError as error:
        raise ClientError(
            Failure(
                kind=FailureClass.UNREACHABLE,
                diagnosis=f"the certificate of {target.host}:{target.port} is not trusted: {error.verify_message}",
                hint="for a private authority, name the file with its certificate in the variable SSL_CERT_FILE",
            )
        ) from error
    except (OSError, TimeoutError):
        return
    writer.close()


async def _calibrate(bodies: Bodies, target: Target, timeout_s: float) -> Calibration:
    """How the server counts our words, from two requests; one token per word when it does not say.

    A server that fails here fails in the measurement too, where it is counted.
    """
    counts: list[tuple[int, int]] = []
    for words in PROBE_WORDS:
        ended: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
        sender = Sender(target, timeout_s, lambda _: None, ended.set_result)
        try:
            sender.issue(Exchange(bodies.probe(words), 1))
            probe = await ended
        finally:
            await sender.close()
        if probe.prompt_tokens is None:
            return Calibration()
        counts.append((words, probe.prompt_tokens))
    return Calibration.from_probes(counts[0], counts[1])
