"""The rates of a sweep: evenly between what one request after the other gives and what the server gives at most."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from autotuner.contracts.attempt import Failure, FailureClass
from autotuner.contracts.client import ClientError
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.workload import SWEEP_STEPS, LoadPoint


class Sweep:
    """Knows the request rates of the closed loops that were measured so far, of this start and of a cut-off one.

    ``known``: load point and requests per second.
    """

    def __init__(self, points: Iterable[LoadPoint], known: Iterable[tuple[str, float]]) -> None:
        self._points = tuple(points)
        self._rates: dict[str, list[float]] = {}
        for name, rate in known:
            self._rates.setdefault(name, []).append(rate)

    def learn(self, measurement: Measurement) -> None:
        """Take the rate of a measurement in."""
        if measurement.completed_requests:
            self._rates.setdefault(measurement.load_point, []).append(measurement.requests_per_second)

    def at(self, point: LoadPoint) -> LoadPoint:
        """The point with its request rate, if it is a step of a sweep.

        ClientError when no request of the closed loops that it lies between succeeded.
        """
        if point.sweep_step is None or point.request_rate is not None:
            return point
        ends = [p for p in self._points if p.traffic == point.traffic and p.concurrency is not None]
        rates = [fmean(self._rates[p.name]) for p in ends if any(self._rates.get(p.name, ()))]
        if len(rates) < 2:
            unknown = next((p.name for p in ends if not any(self._rates.get(p.name, ()))), point.name)
            raise ClientError(
                Failure(
                    kind=FailureClass.CLIENT,
                    diagnosis=f"{point.name} has no request rate: no request of {unknown} succeeded",
                    hint="look at the errors of that load point; a longer request_timeout or window may help",
                )
            )
        least, greatest = min(rates), max(rates)
        rate = least + (greatest - least) * point.sweep_step / (SWEEP_STEPS + 1)
        return point.model_copy(update={"request_rate": rate})
