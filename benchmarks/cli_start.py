"""How long `autotuner --help` takes against `python -c pass`: python benchmarks/cli_start.py [rounds].

The two are started in turn, so that a change of the machine's speed hits both; medians are compared. The aim is a
ratio of at most 6.
"""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "autotuner --help": [sys.executable, "-m", "autotuner", "--help"],
}


def seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
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
