"""What a strategy was told, and the randomness that follows from it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from autotuner.contracts.search import OutcomeKind, SearchSetup, Trial
from autotuner.contracts.values import Configuration, digest


class History:
    """The outcomes of one search, in the order in which they were told."""

    def __init__(self, setup: SearchSetup) -> None:
        self.setup = setup
        self.trials: list[Trial] = []
        """Measured and infeasible ones; void outcomes teach nothing and are not kept."""
        self._identities: set[str] = set()

    def tell(self, trial: Trial) -> str:
        """Take one outcome; returns the identity of its configuration.

        Raises ValueError for a measured one whose number of objectives is not the task's.
        """
        outcome = trial.outcome
        expected = len(self.setup.directions)
        if outcome.kind is OutcomeKind.MEASURED and len(outcome.objectives) != expected:
            raise ValueError(f"told {len(outcome.objectives)} objectives, expected {expected}")
        identity = self.setup.space.identity(trial.configuration)
        self._identities.add(identity)
        if outcome.kind is not OutcomeKind.VOID:
            self.trials.append(trial)
        return identity

    def known(self, pending: Sequence[Configuration]) -> AbstractSet[str]:
        """Identities that must not be proposed: those told (void ones too, they are retried) and those pending."""
        if not pending:
            return self._identities  # as it is: a copy at each ask would cost more the more was told
        return self._identities | {self.setup.space.identity(configuration) for configuration in pending}

    def seed(self, pending: int, *salt: str | int) -> int:
        """Seed of one ask, 128 bits: a hash of the task's seed, the number told and the number pending.

        Void outcomes do not count: whether they are told again after an interruption must not matter.
        """
        return int(digest([self.setup.seed, len(self.trials), pending, *salt]), 16)


class Stream:
    """Random numbers from a seed, the same on every platform and with every version of every library.

    Each number is a hash of the seed and of a counter, so close seeds give unrelated streams.
    """

    def __init__(self, seed: int) -> None:
        self._key = digest(seed).encode()
        self._count = 0

    def random(self) -> float:
        """A float in [0, 1), 53 bits."""
        return (self._next() >> 75) / (1 << 53)

    def randrange(self, stop: int) -> int:
        """An integer in [0, stop)."""
        return self._next() % stop

    def _next(self) -> int:
        self._count += 1
        block = hashlib.blake2b(self._count.to_bytes(8, "little"), key=self._key, digest_size=16)
        return int.from_bytes(block.digest(), "little")
