"""``python -m autotuner.mock_server --port 0 --ttft-s 0.05 …``: prints a line of JSON with its address, then serves."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import get_args

from pydantic import ValidationError

from autotuner.mock_server.options import MockOptions
from autotuner.mock_server.server import MockServer


def parser() -> argparse.ArgumentParser:
    """One option per field of ``MockOptions``, and where to listen and log."""
    made = argparse.ArgumentParser(prog="python -m autotuner.mock_server", description="OpenAI-compatible mock server")
    made.add_argument("--port", type=int, default=0, help="0: any free port")
    made.add_argument("--log", type=Path, default=None, help="append the truth of each request as a line of JSON")
    for name, field in MockOptions.model_fields.items():
        flag = "--" + name.replace("_", "-")
        kinds = [kind for kind in get_args(field.annotation) or (field.annotation,) if kind is not NoneType]
        if kinds == [bool]:
            made.add_argument(
                flag, action=argparse.BooleanOptionalAction, default=field.default, help=field.description
            )
        elif isinstance(kinds[0], type) and issubclass(kinds[0], Enum):
            choices = [member.value for member in kinds[0]]
            made.add_argument(flag, choices=choices, default=field.default, help=field.description)
        else:
            made.add_argument(flag, default=field.default, help=field.description)
    return made


async def serve(options: MockOptions, port: int, log: Path | None) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with MockServer(options, port=port, log=log) as server:
        sys.stdout.write(json.dumps({"base_url": server.base_url, "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options and serve; 2 for an option with an impossible value."""
    given = vars(parser().parse_args(arguments))
    port, log = given.pop("port"), given.pop("log")
    try:
        options = MockOptions.model_validate(given)
    except ValidationError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    asyncio.run(serve(options, port, log))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
