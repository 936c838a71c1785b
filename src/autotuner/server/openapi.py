"""The OpenAPI document without a service: ``python -m autotuner.server.openapi FILE``.

The pages' typed client is made of it (``make client``).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from autotuner.server.app import create_app
from autotuner.services.settings import load_settings


def document() -> dict[str, Any]:
    """The document that the service answers at ``/openapi.json``. Nobody's settings are read, and nothing is opened."""
    return create_app(load_settings({"HOME": os.devnull})).openapi()


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(document(), indent=1) + "\n", encoding="utf-8")
