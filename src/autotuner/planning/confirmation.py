"""How many finalists are confirmed, by how many starts: what the document asks for and the reserve can pay. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from autotuner.config.optimization import Confirm

RESERVE = 0.25
"""Share of a wall-clock budget that the search leaves to the confirmation (search.md, Evidence)."""


@dataclass(frozen=True)
class ConfirmationPlan:
    """``finalists`` (0: nothing is confirmed), and starts of each of them and of the baseline: ``least`` and ``most``.

    ``note``: a sentence for the plan where the reserve cannot pay what the document asks for.
    """

    finalists: int
    least: int
    most: int
    note: str | None = None

    @property
    def least_starts(self) -> int:
        """Starts of the confirmation when every verdict is clear at once."""
        return (self.finalists + 1) * self.least if self.finalists else 0

    @property
    def most_starts(self) -> int:
        """Starts of the confirmation when no verdict becomes clear."""
        return (self.finalists + 1) * self.most if self.finalists else 0


def affordable(finalists: int, least: int, starts: float) -> int:
    """How many finalists so many starts can confirm: all, else one, else none; the baseline is started as often."""
    if finalists and (finalists + 1) * least <= starts:
        return finalists
    return 1 if finalists and 2 * least <= starts else 0


def plan_confirmation(
    confirm: Confirm, *, others: int, wall_clock_s: float | None, search_s: float, per_start_s: float
) -> ConfirmationPlan:
    """The confirmation of a task with ``others`` measured configurations beside its baseline.

    ``search_s``: time that everything before it will take if nothing ends it, seconds. With a wall-clock budget the
    reserve is a quarter, or more where the search needs less than the rest.
    """
    wanted = min(confirm.top_k, others) if confirm.wanted else 0
    if not wanted:
        return ConfirmationPlan(0, 0, 0)
    if wall_clock_s is None:
        return ConfirmationPlan(wanted, confirm.starts, confirm.most)
    reserve_s = max(wall_clock_s * RESERVE, wall_clock_s - search_s)
    starts = reserve_s / per_start_s
    finalists = affordable(wanted, confirm.starts, starts)
    if finalists == wanted:
        return ConfirmationPlan(finalists, confirm.starts, confirm.most)
    needed = 2 * confirm.starts * per_start_s if not finalists else (wanted + 1) * confirm.starts * per_start_s
    pays = f"{confirm.starts} paired starts take about {needed:.0f} s, the time kept for them is {reserve_s:.0f} s"
    if not finalists:
        return ConfirmationPlan(0, 0, 0, f"the winner will not be confirmed: {pays}; no gain can be claimed")
    note = f"one finalist is confirmed instead of {wanted}: for {wanted} of them {pays}"
    return ConfirmationPlan(finalists, confirm.starts, confirm.most, note)
