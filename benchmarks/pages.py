"""How quick the web pages are with a thousand experiments: in a real browser, on a real service.

    python benchmarks/pages.py [--experiments 1000] [--repeats 30] [--anyway]

Fills a store (tests/filled_store.py), serves it, and lets Chromium sort and filter the table of a task's experiments,
and move over its plots (frontend/scripts/speed.mjs). Printed are the median, the 95th percentile and the longest time
from an event to the frame that shows its effect. The pages must be built (`make pages`). The aim: 100 ms for the table.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from quiet import add_arguments, quiet_machine

ROOT = Path(__file__).parents[1]
TARGET_MS = 100.0
TABLE = ("sort", "filter")


def measured(folder: Path, experiments: int, repeats: int) -> dict[str, list[float]]:
    """Milliseconds by action."""
    environment = {**os.environ, "AUTOTUNER_DATA_DIR": str(folder)}
    fill = [sys.executable, str(ROOT / "tests" / "filled_store.py"), "--experiments", str(experiments)]
    subprocess.run(fill, env=environment, check=True)
    serve = [sys.executable, "-m", "autotuner", "serve", "--port", "0", "--json", "--no-worker"]
    with subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, text=True) as service:
        try:
            speed = ["node", "scripts/speed.mjs", _address(service), str(repeats)]
            done = subprocess.run(speed, cwd=ROOT / "frontend", stdout=subprocess.PIPE, text=True, check=True)
        finally:
            service.send_signal(signal.SIGINT)
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def _address(service: subprocess.Popen[str]) -> str:
    text = ""
    assert service.stdout is not None  # noqa: S101  # it was asked for
    for line in service.stdout:
        text += line
        if line.startswith("}"):
            return str(json.loads(text[text.index("{") :])["page"])
    raise SystemExit(f"The service did not start: {text}")


def main() -> int:
    """Exit code 1 if the aim was missed."""
    parser = argparse.ArgumentParser(description="how quick the web pages are with a thousand experiments")
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=30, help="of each action")
    add_arguments(parser)
    given = parser.parse_args()
    with (
        quiet_machine(anyway=given.anyway, wait=given.wait),
        tempfile.TemporaryDirectory(prefix="autotuner-pages-") as folder,
    ):
        found = measured(Path(folder), given.experiments, given.repeats)
    print(f"{found.pop('rows')} experiments")
    late = False
    for name, times in found.items():
        ordered = sorted(times)
        p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        late = late or (name in TABLE and p95 > TARGET_MS)
        print(
            f"{name:6} {len(times)} times: median {ordered[len(ordered) // 2]:.0f} ms, p95 {p95:.0f} ms, "
            f"longest {ordered[-1]:.0f} ms"
        )
    print(f"The table is {'not ' if late else ''}within {TARGET_MS:.0f} ms at p95")
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
