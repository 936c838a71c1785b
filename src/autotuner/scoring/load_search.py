"""The highest load that meets the SLO: which load is measured next, and what the probes say. Pure.

The state is the probes told so far, in any order; nothing else is remembered, so a search that was cut off goes on from
the probes that are stored.

Each SLO's log margin, log(actual / threshold), rises with the load but for noise. It is fitted by isotonic regression
over the measured loads and interpolated linearly in log(load) between them. The load at which the first of the SLOs
crosses zero is the highest that meets all of them. Plain bisection would be flipped for good by one noisy probe; here
the probe is outweighed by its repeats and its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from autotuner.contracts.load_search import NOT_SUSTAINED, LoadLimit, LoadSearch, Probe
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.workload import LoadPoint, MeasureLimits
from autotuner.scoring.isotonic import PRIOR_NOISE, Rising, at, rising
from autotuner.scoring.slo import SloSet, counts_for_load

HIGHEST_LOAD = "highest_load"
NOTHING_MEETS = "nothing_meets"
PROBES_USED = "probes_used"
"""What limits the load when no SLO does: the highest load of the search; nothing, as not even the lowest load meets the
SLO; the number of probes, which were used up while all loads met the SLO, or none did.
"""

CLIP = 2.0
"""Log margins are held within ±2 (a factor of 7): how far beyond says nothing of where the limit is."""

SURE = 2.0
"""Standard errors by which a fit must be off zero to be on the one side for sure."""

PRECISE = 2.2
"""The search is over when so many standard errors of the load's logarithm are within the tolerance."""

WIDE = 4.0
"""A bracket wider than so many tolerances is halved whatever the noise: a line between its ends is a guess."""

CLEAR = 3.0
"""A bracket across which the margin rises by more than so many standard deviations of one probe is worth halving."""

MOST_REPEATS = 5
"""Of neighbouring loads, which nothing can be measured between, none is measured more often to be sure of its side."""

LARGEST_STRIDE = 4.0
SMALLEST_STRIDE = 1.1
TYPICAL_SLOPE, LEAST_SLOPE = 0.75, 0.1
"""d log(latency) / d log(load): guessed after one probe; taken for the least."""

NEARBY = 0.4
"""Loads within this of the crossing's logarithm tell of the slope there."""

BEYOND = 1.2
"""A step goes further than the guessed distance by this, so that it ends on the other side."""

NEAR_MISS = 0.2
"""A log margin from which the limit is near enough to say where it is without a load that meets it."""

CLIFF_ROOM = 0.1
CLIFF_SLOPE = 4.0
"""A cliff: the margins of neighbouring loads are this far off zero on both sides, and rise so steeply between them."""

DIGITS = 3
"""Significant digits of request rates: rates that are closer are one load."""

SETTLE_S = 2.0
"""How long an open loop runs at a new rate before its window opens, seconds."""

_NOT_SUSTAINED_MARGIN = math.log(2.0)


@dataclass(frozen=True)
class Ask:
    """What to measure next: a load, and the number of the measurement there (0: the first)."""

    load: float
    repeat: int


@dataclass(frozen=True)
class Found:
    """What the search came to.

    Fields: ``load``, the highest that meets the SLO (a whole number of requests in flight; None: none did); ``low`` and
    ``high``, between which the true one is taken to lie; ``limited_by``, the figure whose SLO comes first, or
    ``HIGHEST_LOAD``, ``NOTHING_MEETS``, ``PROBES_USED``; ``cliff``, whether its margin jumps instead of crossing;
    ``below`` and ``above``, the measured loads on both sides (above None: the figures are those of ``below``);
    ``share``, where the load lies between them, in logarithms; ``margins``, the fitted log margins at the load by
    figure; ``precise``: False when the probes were used up before the load was known well enough; ``probes``, taken.
    """

    load: float | None
    low: float | None
    high: float | None
    limited_by: str
    cliff: bool
    below: float
    above: float | None
    share: float
    margins: Mapping[str, float]
    precise: bool
    probes: int


def load_limits(slo: SloSet) -> tuple[LoadLimit, ...]:
    """The SLOs that a load must meet, as the search needs them."""
    return tuple(
        LoadLimit(
            figure=rule.figure,
            metric="e2e" if metric == "latency" else metric,
            statistic=rule.statistic,
            threshold=rule.threshold,
        )
        for rule in slo.rules
        if counts_for_load(rule, slo.rules) and (metric := rule.load_metric) is not None
    )


def probe(measurement: Measurement, search: LoadSearch, limits: Sequence[LoadLimit]) -> Probe:
    """A measurement as the search sees it. ValueError for one without the load that is searched."""
    load = measurement.concurrency if search.by == "concurrency" else measurement.request_rate
    if load is None:
        raise ValueError(f"{measurement.load_point} has no {search.by}")
    margins = {limit.figure: _log_margin(measurement, limit) for limit in limits}
    if search.by == "request_rate":
        sign = 1 if measurement.load_not_sustained else -1
        margins[NOT_SUSTAINED] = sign * _NOT_SUSTAINED_MARGIN
    return Probe(load=load, repeat=measurement.repeat, margins=margins)


def ask(search: LoadSearch, probes: Sequence[Probe]) -> Ask | Found:
    """The next measurement, or what the search came to. Deterministic; the order of the probes does not matter."""
    if not probes:
        return Ask(_settled(search, search.start), 0)
    seen = _Seen(search, probes)
    wanted = _next(seen)
    if wanted is None or len(probes) >= search.probes:
        return _found(seen, precise=wanted is None)
    return Ask(wanted, seen.next_repeat(wanted))


def found(search: LoadSearch, probes: Sequence[Probe]) -> Found:
    """What these probes say of the load, whether or not the search is over. ValueError without any."""
    if not probes:
        raise ValueError("nothing was measured")
    seen = _Seen(search, probes)
    return _found(seen, precise=_next(seen) is None)


def probe_limits(limits: MeasureLimits, point: LoadPoint) -> MeasureLimits:
    """Limits under which a window is just long enough.

    Closed loop: every stream has had a request before the window opens, and another one in it, so that neither the
    crowd at the beginning nor a part of the streams is measured. Open loop: two seconds at the new rate come first.
    """
    if point.concurrency is not None:
        warm = needed = point.concurrency
    else:
        warm, needed = math.ceil(SETTLE_S * (point.request_rate or 0.0)), 0
    return limits.model_copy(
        update={
            "warmup_requests": max(limits.warmup_requests, warm),
            "min_requests": max(limits.min_requests, min(needed, limits.max_requests or needed)),
        }
    )


def fitted_figures(found: Found, limits: Sequence[LoadLimit]) -> dict[str, float]:
    """The limited figures at the found load, by the fit; without those so far off their limit that they are clipped."""
    return {
        limit.figure: limit.threshold * math.exp(found.margins[limit.figure])
        for limit in limits
        if -CLIP < found.margins.get(limit.figure, -CLIP) < CLIP
    }


class _Seen:
    """The probes by load, ascending, and the fits."""

    def __init__(self, search: LoadSearch, probes: Sequence[Probe]) -> None:
        self.search = search
        self.by_load: dict[float, list[Probe]] = {}
        for told in sorted(probes, key=lambda p: (p.load, p.repeat)):
            self.by_load.setdefault(told.load, []).append(told)
        self.loads = list(self.by_load)
        self.taken = len(probes)

    @cached_property
    def curves(self) -> dict[str, Rising]:
        """The fit of each figure's log margin."""
        names = sorted({name for probes in self.by_load.values() for told in probes for name in told.margins})
        return {name: rising([self.values(name, load) for load in self.loads]) for name in names}

    def values(self, name: str, load: float) -> list[float]:
        """The log margins of a figure at a load; one that a probe lacks counts as kept."""
        return [max(-CLIP, min(CLIP, told.margins.get(name, -CLIP))) for told in self.by_load[load]]

    @cached_property
    def worst(self) -> list[float]:
        """The largest fit at each load; it rises."""
        return [max(curve.fit[place] for curve in self.curves.values()) for place in range(len(self.loads))]

    @cached_property
    def kept(self) -> int:
        """How many of the loads meet the SLO: those before this place."""
        return sum(margin <= 0 for margin in self.worst)

    def count(self, place: int) -> int:
        """Probes at a load."""
        return len(self.by_load[self.loads[place]])

    def next_repeat(self, load: float) -> int:
        """The first number that no probe at this load has."""
        used = {told.repeat for told in self.by_load.get(load, ())}
        return next(number for number in range(len(used) + 1) if number not in used)

    def is_kept(self, place: int) -> bool:
        """Whether a load meets the SLO for sure."""
        return all(c.fit[place] + SURE * c.errors[place] <= 0 for c in self.curves.values())

    def is_missed(self, place: int) -> bool:
        """Whether it misses the SLO for sure."""
        return any(c.fit[place] - SURE * c.errors[place] > 0 for c in self.curves.values())

    def sure(self, place: int) -> bool:
        """Whether repeats leave no doubt on which side a load is."""
        return self.count(place) > 1 and (self.is_kept(place) or self.is_missed(place))

    def disputed(self, place: int) -> bool:
        """Whether its only two probes contradict each other far beyond noise, so that a third must decide."""
        if self.count(place) != 2:
            return False
        first, second = (max(told.margins.values(), default=-CLIP) for told in self.by_load[self.loads[place]])
        return first * second <= 0 and abs(first - second) > 6 * PRIOR_NOISE


@dataclass(frozen=True)
class _Bracket:
    """The highest load that meets the SLO, the next one above, and what lies between.

    Fields: ``gap``, log of their ratio; ``neighbours``, whether nothing can be measured between; ``figure`` crossing
    first; ``share``, where it does; ``rise`` of its margin across, by the slope there; ``noise`` of one of its values;
    ``error``, standard error of the crossing's logarithm.
    """

    below: int
    gap: float
    neighbours: bool
    figure: str
    share: float
    rise: float
    noise: float
    error: float

    @property
    def clear(self) -> bool:
        """Whether the rise stands out from the noise of one probe."""
        return self.rise > CLEAR * self.noise


def _bracket(seen: _Seen) -> _Bracket:
    below, above = seen.kept - 1, seen.kept
    low, high = seen.loads[below], seen.loads[above]
    gap = math.log(high / low)
    crossings = [
        (-curve.fit[below] / (curve.fit[above] - curve.fit[below]), name)
        for name, curve in seen.curves.items()
        if curve.fit[above] > 0
    ]
    share, figure = min(crossings)
    curve = seen.curves[figure]
    slope = _slope(seen, figure, math.log(low) + share * gap)
    return _Bracket(
        below=below,
        gap=gap,
        neighbours=_between(seen.search, low, high, 0.5) is None,
        figure=figure,
        share=share,
        rise=slope * gap,
        noise=curve.noise,
        error=math.hypot((1 - share) * curve.errors[below], share * curve.errors[above]) / slope,
    )


def _slope(seen: _Seen, name: str, crossing: float) -> float:
    """d log(figure) / d log(load) about the crossing (log load): least squares over the probes of loads near it.

    Between the two nearest loads alone a slope may be made of noise, and one that is too steep by chance would end the
    search.
    """
    points = [
        (math.log(load) - crossing, value)
        for place, load in enumerate(seen.loads)
        if abs(math.log(load) - crossing) <= NEARBY or place in (seen.kept - 1, seen.kept)
        for value in seen.values(name, load)
    ]
    x = math.fsum(distance for distance, _ in points) / len(points)
    y = math.fsum(value for _, value in points) / len(points)
    squares = math.fsum((distance - x) ** 2 for distance, _ in points)
    if not squares:
        return TYPICAL_SLOPE
    return max(LEAST_SLOPE, math.fsum((distance - x) * (value - y) for distance, value in points) / squares)


def _next(seen: _Seen) -> float | None:
    """The load to measure next; None when the search may end."""
    search, loads = seen.search, seen.loads
    if seen.kept == 0:
        if loads[0] > _settled(search, search.lowest, up=True):
            return _settled(search, loads[0] / _stride(seen, 0, 1))
        return loads[0] if seen.disputed(0) or (not seen.sure(0) and seen.count(0) < MOST_REPEATS) else None
    last = len(loads) - 1
    if seen.kept == len(loads):
        if loads[last] < _settled(search, search.highest):
            return _settled(search, loads[last] * _stride(seen, last, last - 1), up=True)
        return loads[last] if seen.disputed(last) or (not seen.sure(last) and seen.count(last) < MOST_REPEATS) else None
    return _inside(seen, _bracket(seen))


def _inside(seen: _Seen, bracket: _Bracket) -> float | None:
    """The same, once there is a bracket."""
    search = seen.search
    below, above = bracket.below, bracket.below + 1
    low, high = seen.loads[below], seen.loads[above]
    for place in (below, above):
        if seen.disputed(place):
            return seen.loads[place]
    narrow = bracket.neighbours or bracket.gap <= search.tolerance
    if not narrow and (bracket.clear or bracket.gap > WIDE * search.tolerance):
        return _between(search, low, high, min(max(bracket.share, 0.25), 0.75))
    for place in (above, below):
        if seen.count(place) < 2:
            return seen.loads[place]
    open_ends = [place for place in (below, above) if not seen.sure(place)]
    if PRECISE * bracket.error <= search.tolerance or (narrow and not open_ends):
        return None
    # The measurement that shrinks the variance of the crossing most: its ends weigh 1 - share and share.
    gains = {
        below: (1 - bracket.share) ** 2 / (seen.count(below) * (seen.count(below) + 1)),
        above: bracket.share**2 / (seen.count(above) * (seen.count(above) + 1)),
    }
    if bracket.neighbours:  # only the sides matter, not where between them the crossing is
        gains = {place: gains[place] for place in open_ends if seen.count(place) < MOST_REPEATS}
    return seen.loads[max(gains, key=lambda place: (gains[place], place))] if gains else None


def _stride(seen: _Seen, end: int, before: int) -> float:
    """By which factor to go on from the load at one end, away from those measured, to come to the other side.

    As far as the margin, and its slope from the load before it, make it likely; no further than the search's stride at
    first, which grows with each load.
    """
    slope = TYPICAL_SLOPE
    if 0 <= before < len(seen.loads):
        run = abs(math.log(seen.loads[end] / seen.loads[before]))
        slope = max(LEAST_SLOPE, abs(seen.worst[end] - seen.worst[before]) / run)
    largest = min(LARGEST_STRIDE, seen.search.stride ** len(seen.loads))
    distance = min(BEYOND * abs(seen.worst[end]) / slope, math.log(LARGEST_STRIDE))
    return min(max(math.exp(distance), SMALLEST_STRIDE), largest)


def _found(seen: _Seen, *, precise: bool) -> Found:
    loads, last = seen.loads, len(seen.loads) - 1
    if seen.kept == 0:
        lowest = loads[0] <= _settled(seen.search, seen.search.lowest, up=True)
        if not lowest and seen.worst[0] <= NEAR_MISS:
            return _just_below(seen)
        return _of_one(seen, 0, None, NOTHING_MEETS if lowest else PROBES_USED, precise=precise)
    if seen.kept == len(loads):
        highest = loads[last] >= _settled(seen.search, seen.search.highest)
        return _of_one(seen, last, loads[last], HIGHEST_LOAD if highest else PROBES_USED, precise=precise)
    bracket = _bracket(seen)
    below, low, high = bracket.below, loads[bracket.below], loads[bracket.below + 1]
    crossing = math.log(low) + bracket.share * bracket.gap
    cliff = _is_cliff(seen, bracket)
    # At a cliff a line between its ends tells nothing of where between them it is.
    load = low if cliff else max(low, min(_down(seen.search, math.exp(crossing)), _before(seen.search, high)))
    share = math.log(load / low) / bracket.gap
    fits = at(seen.curves, below, share)
    least, most = _interval(seen, bracket, crossing)
    return Found(
        load=load,
        low=min(load, _down(seen.search, least)),
        high=max(load, _down(seen.search, most)),
        limited_by=bracket.figure,
        cliff=cliff,
        below=low,
        above=high if share > 0 else None,
        share=share,
        margins={name: min(0.0, margin) for name, margin in fits.items()},
        precise=precise,
        probes=seen.taken,
    )


def _of_one(seen: _Seen, place: int, load: float | None, limited_by: str, *, precise: bool) -> Found:
    """The result that is one of the measured loads, with nothing beyond it."""
    return Found(
        load=load,
        low=None if load is None else max((seen.loads[p] for p in range(place + 1) if seen.is_kept(p)), default=load),
        high=seen.search.highest if limited_by == PROBES_USED and load is not None else load,
        limited_by=limited_by,
        cliff=False,
        below=seen.loads[place],
        above=None,
        share=0.0,
        margins=at(seen.curves, place, 0.0),
        precise=precise,
        probes=seen.taken,
    )


def _just_below(seen: _Seen) -> Found:
    """The probes were used up when a repeat put the lowest measured load on the other side of its limit.

    The load is where the slope there comes down to the limit. The figures are those of the measured load.
    """
    figure = max(seen.curves, key=lambda name: (seen.curves[name].fit[0], name))
    curve, lowest = seen.curves[figure], seen.loads[0]
    slope = _slope(seen, figure, math.log(lowest))
    crossing = math.log(lowest) - curve.fit[0] / slope
    floor = _settled(seen.search, seen.search.lowest, up=True)
    load = max(floor, min(_down(seen.search, math.exp(crossing)), _before(seen.search, lowest)))
    least = max(floor, _down(seen.search, math.exp(crossing - SURE * curve.errors[0] / slope)))
    return Found(
        load=load,
        low=min(load, least),
        high=max(load, _before(seen.search, lowest)) if seen.is_missed(0) else lowest,
        limited_by=figure,
        cliff=False,
        below=lowest,
        above=None,
        share=0.0,
        margins={name: min(0.0, margin) for name, margin in at(seen.curves, 0, 0.0).items()},
        precise=False,
        probes=seen.taken,
    )


def _interval(seen: _Seen, bracket: _Bracket, crossing: float) -> tuple[float, float]:
    """Between which loads the true crossing is taken to lie.

    Two standard errors of the interpolated crossing on both sides (delta method). Where the margin rises clearly across
    the bracket nothing is known of its shape inside, so all of the bracket belongs to the interval. Nothing beyond a
    load that is on its side for sure does, since margins rise.
    """
    low, high = seen.loads[bracket.below], seen.loads[bracket.below + 1]
    least, most = math.exp(crossing - SURE * bracket.error), math.exp(crossing + SURE * bracket.error)
    if bracket.clear:
        least, most = min(least, low), max(most, high)
    kept = [load for place, load in enumerate(seen.loads) if place <= bracket.below and seen.is_kept(place)]
    missed = [load for place, load in enumerate(seen.loads) if place > bracket.below and seen.is_missed(place)]
    if missed and most >= missed[0]:
        most = _before(seen.search, missed[0])
    return max([least, seen.search.lowest, *kept[-1:]]), max(min(most, seen.search.highest), low)


def _is_cliff(seen: _Seen, bracket: _Bracket) -> bool:
    """Whether there is no load near the limit: it is kept with room, and by the next load far exceeded."""
    narrow = bracket.neighbours or bracket.gap <= seen.search.tolerance
    room = -max(curve.fit[bracket.below] for curve in seen.curves.values())
    excess = seen.worst[bracket.below + 1]
    return narrow and min(room, excess) >= CLIFF_ROOM and room + excess >= CLIFF_SLOPE * bracket.gap


def _between(search: LoadSearch, low: float, high: float, share: float) -> float | None:
    """A load strictly between two, at that share of their distance in logarithms; None when there is none."""
    wanted = low * (high / low) ** share
    if search.by == "concurrency":
        return float(min(max(round(wanted), low + 1), high - 1)) if high - low >= 2 else None
    middle = _digits(wanted)
    return middle if low < middle < high else None


def _settled(search: LoadSearch, load: float, *, up: bool = False) -> float:
    """A load that can be measured, inside the search's limits."""
    inside = min(max(load, search.lowest), search.highest)
    if search.by == "request_rate":
        return min(max(_digits(inside), search.lowest), search.highest)
    rounded = math.ceil(inside - 1e-9) if up else math.floor(inside + 1e-9)
    return float(max(1, min(max(rounded, math.ceil(search.lowest)), math.floor(search.highest))))


def _down(search: LoadSearch, load: float) -> float:
    """The highest load that can be asked for and is not above this one."""
    if search.by == "concurrency":
        return float(math.floor(load + 1e-9))
    rounded = _digits(load)
    return rounded if rounded <= load else _digits(rounded - 10 ** (math.floor(math.log10(rounded)) + 1 - DIGITS))


def _before(search: LoadSearch, load: float) -> float:
    """The highest load that can be asked for and is below this one."""
    return load - 1 if search.by == "concurrency" else _down(search, math.nextafter(load, 0.0))


def _digits(rate: float) -> float:
    return float(f"{rate:.{DIGITS}g}")


def _log_margin(measurement: Measurement, limit: LoadLimit) -> float:
    """log(actual / threshold), held within ±CLIP; of a load at which nothing succeeded CLIP."""
    if limit.metric == "error_rate":
        actual: float | None = measurement.error_rate
    else:
        distribution = {"ttft": measurement.ttft, "tpot": measurement.tpot, "e2e": measurement.e2e}[limit.metric]
        actual = None if distribution is None else float(getattr(distribution, limit.statistic))
    if not measurement.completed_requests:
        return CLIP
    if actual is None or actual <= 0:
        return -CLIP
    return CLIP if limit.threshold <= 0 else max(-CLIP, min(CLIP, math.log(actual / limit.threshold)))
