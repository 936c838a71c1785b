"""A store for the pages: a finished task of many predicted experiments, and tasks in every state beside it.

    python tests/filled_store.py --experiments 1000

Writes into the data folder of the environment, as `autotuner` does.
"""

from __future__ import annotations

import argparse
import asyncio
import os

from autotuner.services.documents import demo_document
from autotuner.services.settings import Settings, load_settings
from autotuner.services.tasks import run_task
from server.seeded import Quiet, seeded

NAME = "filled"


def fill(settings: Settings, experiments: int) -> None:
    """The first task has the experiments, searched at random so that no two are alike; then come the others."""
    sets = [f"task_name={NAME}", "optimization.strategy=random", f"optimization.max_iterations={experiments}"]
    asyncio.run(run_task(demo_document(sets=sets, settings=settings), settings, Quiet()))
    with seeded(settings):
        pass  # what it makes stays


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=1000)
    fill(load_settings(os.environ), parser.parse_args().experiments)
