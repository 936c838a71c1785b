"""One configuration of a table as a curve by load, for a server that answers as predicted."""

from __future__ import annotations

from collections.abc import Mapping

from autotuner.contracts.engine import LaunchRequest, PlanContext, Runtime
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.load_curve import LoadCurve
from autotuner.contracts.values import Scalar
from autotuner.engines.simulated.catalogue import CATALOGUE
from autotuner.engines.simulated.engine import SimulatedEngine
from autotuner.engines.simulated.prediction import Prediction

_PART = ("backend", "isl", "osl")
"""What chooses a part of the table; everything else is a parameter of the configuration."""


def predict(surface: str, settings: Mapping[str, str]) -> Prediction:
    """The prediction for a configuration: ``backend``, ``isl``, ``osl`` and parameters by name.

    Raises AutotunerError for an unknown name, for a value that is none, for a configuration that the table doesn't hold
    or that doesn't start, and what reading the table raises.
    """
    part: dict[str, object] = {"surface": surface}
    values: dict[str, Scalar] = {}
    for name, text in settings.items():
        if name in _PART:
            part[name] = text
        else:
            key, value = _parameter(name, text)
            values[key] = value
    launch = LaunchRequest(
        model=surface,
        served_name=surface,
        parameters=values,
        runtime=Runtime(),
        context=PlanContext(model=surface, options=part),
    )
    prediction = Prediction.model_validate(SimulatedEngine().options(launch))
    if prediction.failure is not None:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            "This configuration doesn't start",
            why=prediction.failure.diagnosis,
            remedy=prediction.failure.hint,
            place=surface,
        )
    return prediction


def load_curve(surface: str, settings: Mapping[str, str]) -> LoadCurve:
    """What ``predict`` finds, at each number of requests up to the first one that waits."""
    prediction = predict(surface, settings)
    capacity = min(prediction.max_num_seqs, prediction.kv_capacity) * prediction.ranks
    figures = [prediction.at(load) for load in range(1, capacity + 2)]
    return LoadCurve(
        ttft_s=tuple(at.ttft_s for at in figures), tpot_s=tuple(at.tpot_s for at in figures), capacity=capacity
    )


def _parameter(name: str, text: str) -> tuple[str, Scalar]:
    for parameter in CATALOGUE.parameters:
        if name in (parameter.name, *parameter.aliases):
            if parameter.type != "int":
                return parameter.name, text
            if text.isascii() and text.isdecimal():
                return parameter.name, int(text)
            raise AutotunerError(
                ErrorCode.INVALID_VALUE,
                f"{name} can't be {text!r}",
                why="it is a whole number",
                remedy=f"Write {name}=8, for example",
                place=name,
            )
    names = (*_PART, *(parameter.name for parameter in CATALOGUE.parameters))
    raise AutotunerError(
        ErrorCode.UNKNOWN_KEY,
        f"The table has no {name}",
        why=f"it has {', '.join(names)}",
        remedy="Use one of these",
        place=name,
    )
