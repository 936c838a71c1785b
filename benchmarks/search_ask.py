"""How long one ask takes, and what memory it needs: 60 experiments told, 20,000 candidates.

``python benchmarks/search_ask.py [--strategies …] [--experiments 60]``: a space of 20,160 configurations of seven
parameters, of which 20,000 are valid, with two limits. Printed are the median and the longest of five asks after some
experiments, and the peak of the memory that Python's allocator and numpy gave out in one.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
import tracemalloc
from statistics import median

from quiet import add_arguments, quiet_machine
from searching.landscape import TableSpace

from autotuner.contracts.search import Limit, Observation, Outcome, OutcomeKind, SearchSetup, SearchStrategy, Trial
from autotuner.contracts.values import Configuration
from autotuner.search.registry import make_strategy

SIZES = {"tp": 4, "pp": 3, "quant": 4, "kv": 3, "tokens": 7, "seqs": 10, "graphs": 2}
VALID = 20_000
ASKS = 5


def space() -> TableSpace:
    """Powers of two, and two parameters of plain choices."""
    values = [[f"{name}{i}" if name in {"quant", "kv"} else 2**i for i in range(size)] for name, size in SIZES.items()]
    every = [dict(zip(SIZES, combination, strict=True)) for combination in itertools.product(*values)]
    return TableSpace.of(every[:VALID])


def outcome(configuration: Configuration) -> Outcome:
    """A smooth figure, and two that grow with it; every thirteenth crashes."""
    numbers = [value if isinstance(value, int) else len(str(value)) for value in configuration.values()]
    total = sum(math.log2(1 + number) for number in numbers)
    if round(total * 1000) % 13 == 0:
        return Outcome(OutcomeKind.INFEASIBLE, constraints={"crash": 1.0})
    score, ratios = math.exp(total / 8), {"ttft": total / 16, "tpot": total / 14}
    margins = {name: ratio - 1 for name, ratio in ratios.items()}
    return Outcome(OutcomeKind.MEASURED, (score,), margins, observations=(Observation((score,), ratios),))


def told(name: str, searched: TableSpace, experiments: int) -> SearchStrategy:
    """A strategy after so many experiments; they are the first of random search, so that no model has to choose."""
    limits = (Limit("ttft"), Limit("tpot"))
    drawn = make_strategy("random", SearchSetup(searched, ("maximize",), 1))
    strategy = make_strategy(name, SearchSetup(searched, ("maximize",), 1, limits=limits))
    for _ in range(experiments):
        configuration = drawn.ask()
        if configuration is None:
            break
        trial = Trial(configuration, outcome(configuration))
        drawn.tell(trial)
        strategy.tell(trial)
    return strategy


def measure(name: str, searched: TableSpace, experiments: int) -> tuple[list[float], int]:
    """Seconds of asks, each after one more experiment; peak of memory, bytes."""
    strategy = told(name, searched, experiments)
    seconds: list[float] = []
    for _ in range(ASKS):
        begun = time.perf_counter()
        configuration = strategy.ask()
        seconds.append(time.perf_counter() - begun)
        if configuration is None:
            break
        strategy.tell(Trial(configuration, outcome(configuration)))
    tracemalloc.start()
    strategy.ask()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return seconds, peak


def main() -> int:
    """Always 0."""
    parser = argparse.ArgumentParser(description="how long one ask takes")
    parser.add_argument("--strategies", nargs="+", default=["random", "tpe", "bayesian"])
    parser.add_argument("--experiments", type=int, nargs="+", default=[20, 60])
    add_arguments(parser)
    given = parser.parse_args()
    searched = space()
    with quiet_machine(anyway=given.anyway, wait=given.wait):
        for name in given.strategies:
            for experiments in given.experiments:
                seconds, peak = measure(name, searched, experiments)
                print(
                    f"{name:<10} {experiments:>3} told, {len(searched)} candidates: median {median(seconds):.3f} s, "
                    f"longest {max(seconds):.3f} s, peak {peak / 2**20:.0f} MiB"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
