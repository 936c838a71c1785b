"""How often a confirmation finds a true gain, by the noise from start to start and the shares of α of its looks.

    python benchmarks/confirmation_power.py [--gain 0.1] [--rounds 10] [--shares 0.5 0.25 0.125 0.0625 0.03125]
        [--worth 0.8]

Draws of a baseline and one of two finalists, normal noise, without search or coordinator. ``--shares``: what the looks
spend, in place of the product's own; as many as there are looks. ``--worth``: what a start up to the first look tells
of what a whole one does, where windows end early (ratio of variances).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence

import numpy as np

from autotuner.scoring.sequential import ALPHA, next_look, spent_at

LEAST = 5
FINALISTS = 2


def found(
    noise: float, gain: float, rounds: int, shares: Sequence[float], draws: int, worth: float = 1.0
) -> tuple[float, float]:
    """The share of confirmations that show the gain, and the mean number of pairs that they take."""
    from scipy.special import stdtrit

    rng = np.random.default_rng(1)
    of_round = np.where(np.arange(rounds) < LEAST, noise / math.sqrt(worth), noise)
    pairs = rng.normal(math.log1p(gain), of_round, (draws, rounds)) - rng.normal(0, of_round, (draws, rounds))
    shown, taken, at = np.zeros(draws, dtype=bool), np.full(draws, rounds), LEAST
    for share in shares:
        if at > rounds:
            break
        seen = pairs[:, :at]
        reach = stdtrit(at - 1, 1 - ALPHA * share / (2 * FINALISTS)) * seen.std(axis=1, ddof=1) / math.sqrt(at)
        new = (seen.mean(axis=1) > reach) & ~shown
        taken[new] = at
        shown |= new
        at = next_look(at)
    return float(shown.mean()), float(taken.mean())


def main() -> int:
    """Print a line for each noise."""
    parser = argparse.ArgumentParser(description="how often a confirmation finds a true gain")
    parser.add_argument("--gain", type=float, default=0.1, help="the true one (a share)")
    parser.add_argument("--rounds", type=int, default=10, help="pairs at most")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.02, 0.03, 0.04, 0.05, 0.06])
    parser.add_argument("--shares", type=float, nargs="+", help="of α, by look")
    parser.add_argument("--worth", type=float, default=1.0, help="of a start up to the first look (a share)")
    parser.add_argument("--draws", type=int, default=20_000)
    given = parser.parse_args()
    shares = given.shares or [spent_at(look, 1.0) for look in range(12)]
    for noise in given.noise:
        share, pairs = found(noise, given.gain, given.rounds, shares, given.draws, given.worth)
        print(f"noise {noise:.1%}: found in {share:.1%}, {pairs:.1f} pairs in the mean")
    return 0


if __name__ == "__main__":
    sys.exit(main())
