"""Records llamacpp.txt from the installed engine: six requests on two slots, read while they run.

    python tests/data/metrics_pages/record.py

The other pages are made by hand of the names and label names in the engines' sources; see ORIGIN.md.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from autotuner.contracts.attempt import HOST, PORT, AttemptJob, Command  # noqa: E402
from autotuner.deploy.local.deployment import LocalDeployment  # noqa: E402
from autotuner.deploy.probe import authorization  # noqa: E402
from autotuner.engines.llamacpp.engine import LAUNCHER, LlamaCppEngine  # noqa: E402
from autotuner.network.http import request  # noqa: E402
from conformance.deployment_suite import Setup, keep  # noqa: E402
from conformance.tiny_gguf import make_tiny_gguf  # noqa: E402


async def page(folder: Path) -> str:
    model = make_tiny_gguf(folder)
    argv = (sys.executable, LAUNCHER, "--model", str(model), "--host", HOST, "--port", PORT, "--parallel", "2")
    setup = Setup(LocalDeployment, folder, lambda handle: 0)
    job: AttemptJob = setup.job("").model_copy(
        update={"command": Command(argv=(*argv, "--alias", "tiny")), "server": LlamaCppEngine().server}
    )
    local = LocalDeployment()
    handle = await local.start(job, keep)
    try:
        endpoint = await local.wait_ready(handle, 60)
        key = authorization(endpoint)

        async def complete(number: int) -> None:
            body = {"model": "tiny", "prompt": f"{number} words of a prompt", "max_tokens": 200, "ignore_eos": True}
            url = f"{endpoint.base_url}/v1/completions"
            await request("POST", url, headers=key, body=json.dumps(body).encode(), timeout_s=60)

        running = [asyncio.create_task(complete(number)) for number in range(6)]
        text = ""
        while not re.search(r"requests_deferred [1-9]", text):
            text = (await request("GET", f"{endpoint.base_url}/metrics", headers=key, timeout_s=10)).body.decode()
        await asyncio.gather(*running)
        return text
    finally:
        await local.stop(handle, 5.0)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        (HERE / "llamacpp.txt").write_text(asyncio.run(page(Path(scratch))), encoding="utf-8")
