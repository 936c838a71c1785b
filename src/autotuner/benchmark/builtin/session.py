"""One job inside the worker: look the server up, calibrate the prompts, measure the points in order."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from autotuner.benchmark.builtin.calibration import Calibration, calibrate
from autotuner.benchmark.builtin.exchange import Exchange
from autotuner.benchmark.builtin.point import measure_point
from autotuner.benchmark.builtin.prompts import Bodies
from autotuner.benchmark.builtin.sender import Sender, Target
from autotuner.benchmark.builtin.together import Together
from autotuner.benchmark.builtin.wire import Measure
from autotuner.benchmark.dataset import content_of
from autotuner.contracts.attempt import Failure, FailureClass
from autotuner.contracts.client import ClientError
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.values import Frozen
from autotuner.contracts.workload import Dataset

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
        salt=f"{order.salt}/{order.number}",
        own_salt=f"/{together.index}" if together.index else "",
        token_ids=order.prompt_token_ids,
    )
    if needs_words(bodies, order):
        bodies.calibrated(await _calibrate(bodies, target, order.workload.limits.request_timeout_s))
    content = await _content(order.workload.dataset)
    for point, repeat in order.remaining:
        await measure_point(
            order, point, repeat, target=target, bodies=bodies, content=content, together=together, send=send
        )


def needs_words(bodies: Bodies, order: Measure) -> bool:
    """Whether some prompts are made of words: all but the dataset's where token ids are not taken, and those of
    conversations, since what was answered is text.
    """
    parts = [part for point, _ in order.remaining for _, part in point.traffic.parts if not part.from_dataset]
    return any(part.turns > 1 or not bodies.takes_ids for part in parts)


async def _content(dataset: Dataset | None) -> bytes | None:
    if dataset is None:
        return None
    try:
        return await asyncio.to_thread(content_of, dataset)
    except AutotunerError as error:
        diagnosis = f"{error.what}: {error.why}"
        raise ClientError(Failure(kind=FailureClass.CLIENT, diagnosis=diagnosis, hint=error.remedy)) from error


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
    """How the server counts our words. A server that fails here fails in the measurement too, where it is counted."""
    waiting: dict[Exchange, asyncio.Future[Exchange]] = {}
    sender = Sender(target, timeout_s, lambda _: None, lambda exchange: waiting.pop(exchange).set_result(exchange))

    async def ask(text: str) -> int | None:
        exchange = Exchange(bodies.request(text, 1), 1)
        ended: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
        waiting[exchange] = ended
        sender.issue(exchange)
        return (await ended).prompt_tokens

    try:
        return await calibrate(ask)
    finally:
        await sender.close()
