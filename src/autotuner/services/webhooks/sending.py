"""One request of a webhook."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from autotuner.services.settings import Webhook
from autotuner.services.webhooks.addresses import RefusedAddressError, resolve

SIGNATURE, EVENT, DELIVERY = "X-Autotuner-Signature", "X-Autotuner-Event", "X-Autotuner-Delivery"
TIMEOUT_S = 10.0
"""For the whole request, seconds."""


@dataclass(frozen=True)
class Sent:
    """What became of a request. ``status``: of the answer; None without one. ``error``: None when it was taken."""

    status: int | None
    error: str | None


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The header's value: ``t=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>" in hexadecimal>``."""
    signed = hmac.digest(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hex()
    return f"t={timestamp},v1={signed}"


async def send(
    webhook: Webhook, secret: str | None, *, kind: str, delivery: str, content: Mapping[str, Any], timestamp: int
) -> Sent:
    """POST the content as JSON. Redirects are not followed, proxies not used; the answer's body is not read."""
    body = json.dumps(content, separators=(",", ":"), default=str).encode()
    parts = urlsplit(webhook.url)
    host = parts.hostname or ""
    headers = {"Content-Type": "application/json", "Host": parts.netloc, EVENT: kind, DELIVERY: delivery}
    if secret is not None:
        headers[SIGNATURE] = signature(secret, timestamp, body)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            port = parts.port or (443 if parts.scheme == "https" else 80)
            address = await resolve(host, port, allow_private=webhook.allow_private)
            # To the address that was judged; certificate and Host header are still those of the name.
            target = httpx.URL(webhook.url).copy_with(host=address)
            async with (
                httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=TIMEOUT_S) as client,
                client.stream(
                    "POST", target, content=body, headers=headers, extensions={"sni_hostname": host}
                ) as answer,
            ):
                taken = answer.is_success
                return Sent(answer.status_code, None if taken else f"it answered {answer.status_code}")
    except TimeoutError:
        return Sent(None, f"no answer within {TIMEOUT_S:g} s")
    except RefusedAddressError as error:
        return Sent(None, str(error))
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Sent(None, f"it cannot be reached ({type(error).__name__})")
