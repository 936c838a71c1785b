"""Noise as it was recorded on real servers: how much whole starts deviate, and how a machine drifts meanwhile."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from pydantic import ConfigDict, Field, ValidationError

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen, digest

FORMAT = "recorded-noise-1"
ROUND = 3
"""Starts that a round of a confirmation is taken to have, where only the number of the round is known."""

_NORMAL_P90 = 1.2815515655446004
"""90th percentile of the standard normal distribution."""


class Deviation(Frozen):
    """How far the figures of one start are off, as differences of natural logarithms."""

    model_config = ConfigDict(allow_inf_nan=False)

    throughput: float
    ttft_mean: float
    ttft_p90: float
    tpot_mean: float

    def combined(self, other: Deviation, own: float, others: float) -> Deviation:
        """``own`` times this and ``others`` times the other."""
        theirs = other.model_dump()
        return Deviation(**{name: own * value + others * theirs[name] for name, value in self.model_dump().items()})


class RecordedNoise(Frozen):
    """What `benchmarks/noise.py` recorded.

    A simulated start gets the deviations of a whole recorded one, so that its figures hang together as real ones do,
    and those of the drift at its place in the order of starts.
    """

    residuals: tuple[Deviation, ...] = Field(
        min_length=2, description="of each recorded start, from the mean of its configuration and from the drift"
    )
    drift: tuple[Deviation, ...] = Field(min_length=1, description="of the machine, by the order of starts")
    ttft_p90_over_mean: float = Field(ge=1, description="within a start: p90 of ttft / its mean")

    def drawn(self, task: Sequence[object], draw_key: str) -> Deviation:
        """The deviation of a start, from its name among those of its task; ``task`` seeds the draws of one task.

        The drift is followed step by step: own starts by the number of their experiment, those of a confirmation by
        their round. Where each of the two begins on the path is drawn.
        """
        residual = self.residuals[_draw([*task, draw_key, "start"], len(self.residuals))]
        number, purpose = _place(draw_key)
        if purpose is None:
            steps: float = number
        else:
            steps = ROUND * purpose + ROUND * _draw([*task, draw_key, "place"], 1 << 20) / (1 << 20)
        begin = _draw([*task, "confirmation" if purpose is not None else "search", "drift"], len(self.drift))
        return residual.combined(self.drift_at(begin + steps), 1.0, 1.0)

    def drift_at(self, place: float) -> Deviation:
        """The drift at a place on the path, which is walked to and fro; between two starts it is interpolated."""
        last = len(self.drift) - 1
        if not last:
            return self.drift[0]
        place = place % (2 * last)
        place = min(place, 2 * last - place)
        low = min(int(place), last - 1)
        return self.drift[low].combined(self.drift[low + 1], low + 1 - place, place - low)

    def spread(self, deviation: Deviation) -> float:
        """Standard deviation of log ttft over the requests of a start: lognormal, with the p90 that it deviates to."""
        ratio = math.log(self.ttft_p90_over_mean) + deviation.ttft_p90 - deviation.ttft_mean
        return _NORMAL_P90 - math.sqrt(max(0.0, _NORMAL_P90**2 - 2 * max(0.0, ratio)))


def read_recorded(path: str) -> RecordedNoise:
    """The noise in a file of `benchmarks/noise.py`. AutotunerError: MISSING_FILE, INVALID_DOCUMENT."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        return RecordedNoise(
            residuals=tuple(Deviation.model_validate(start["residual"]) for start in content["starts"]),
            drift=tuple(Deviation.model_validate(start["drift"]) for start in content["starts"]),
            ttft_p90_over_mean=content["ttft_p90_over_mean"],
        )
    except OSError as error:
        raise AutotunerError(
            ErrorCode.MISSING_FILE,
            f"The recorded noise {path!r} can't be read",
            why=error.strerror or str(error),
            remedy="Give the path of a file that benchmarks/noise.py wrote",
            place="simulation.recorded_noise",
        ) from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
        raise AutotunerError(
            ErrorCode.INVALID_DOCUMENT,
            f"{path} holds no recorded noise",
            why=why,
            remedy="Give the path of a file that benchmarks/noise.py wrote",
            place="simulation.recorded_noise",
        ) from error


def _draw(parts: Sequence[object], count: int) -> int:
    return int(digest(list(parts)), 16) % count


def _place(draw_key: str) -> tuple[int, int | None]:
    """Number of the experiment, and the round of the confirmation (None: an own start); zeros for an unknown name."""
    number, _, rest = draw_key.partition("/")
    purpose, _, block = rest.partition("/")[0].partition("-")
    if not number.isdecimal():
        return 0, None
    return int(number), int(block) if purpose != "own" and block.isdecimal() else None
