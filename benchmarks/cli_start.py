"""How long `autotuner --help` takes against `python -c pass`: python benchmarks/cli_start.py [ROUNDS] [--anyway].

The two are started in turn, so that a change of the machine's speed hits both; medians are compared. The aim is a
ratio of at most 6.
"""

import argparse
import statistics
import subprocess
import sys
import time

from quiet import add_arguments, quiet_machine

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "autotuner --help": [sys.executable, "-m", "autotuner", "--help"],
}


def seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description="start of the command line")
    parser.add_argument("rounds", type=int, nargs="?", default=20)
    add_arguments(parser)
    given = parser.parse_args()
    with quiet_machine(anyway=given.anyway, wait=given.wait):
        compare(given.rounds)


def compare(rounds: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():
        seconds(command)  # fills the caches
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:18} {median * 1000:7.1f} ms (least {min(times[name]) * 1000:.1f} ms)")
    plain, shown = medians.values()
    print(f"ratio {shown / plain:.1f}")


if __name__ == "__main__":
    main()
