"""The service that the tests of this folder ask."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from autotuner.services.settings import Settings


@dataclass
class Service:
    """``ask`` has the token."""

    address: str
    ask: httpx.AsyncClient
    settings: Settings
