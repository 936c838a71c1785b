"""Optuna's samplers, and what each of them needs to go on from outcomes alone.

Genetic samplers and CMA-ES keep what they know in attributes of the trials that they proposed. A study that is built
anew of outcomes has none, so they are written to it here: a trial's generation follows from its place among those told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.search import SearchSetup

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial

STARTUP = 5
"""Random valid configurations before a model takes over; 5 did better than Optuna's 10 at 10 to 40 experiments."""

POPULATION = 10
"""Trials of a generation of a genetic sampler; Optuna's 50 are more than a whole search has."""

CMA_POPULATION = 6
"""Trials of a generation of CMA-ES."""

_CMA_STATE = "cma:optimizer"

Build = Callable[[Sequence["FrozenTrial"]], "Study"]
Distributions = dict[str, "BaseDistribution"]


def _of_all(trials: Sequence[FrozenTrial], build: Build, distributions: Distributions) -> Study:
    return build(trials)


@dataclass(frozen=True)
class Method:
    """A sampler as the adapter sees it.

    ``make``: a sampler from a seed. ``startup``: outcomes before it is asked. ``constraints``: whether it knows of
    violated constraints; if not, what violates one is given to it as bad as the worst. ``attributes``: what a trial has
    by its place among those told. ``study``: what the sampler is asked on, made of all trials told. ``extra``: package
    that must be installed beside Optuna, by the extra of the strategy's name. ``asks``: how often it may propose what
    breaks a known constraint or is known, before the valid configuration nearest to its first proposal is taken.
    """

    name: str
    make: Callable[[int], BaseSampler]
    startup: int = STARTUP
    constraints: bool = True
    several_objectives: bool = True
    attributes: Callable[[int], dict[str, Any]] = field(default=lambda place: {})
    study: Callable[[Sequence[FrozenTrial], Build, Distributions], Study] = _of_all
    extra: str | None = None
    asks: int = 12

    def check(self, setup: SearchSetup) -> None:
        """AutotunerError: MISSING_EXTRA; CONTRADICTION for several objectives where it takes one."""
        if self.extra is not None and find_spec(self.extra) is None:
            raise AutotunerError(
                ErrorCode.MISSING_EXTRA,
                f"The strategy {self.name} is not available",
                why=f"it needs {self.extra}, which is not installed",
                remedy=f"Install the extra: pip install 'inference-autotuner[{self.name}]', or use bayesian",
                place="optimization.strategy",
            )
        if len(setup.directions) > 1 and not self.several_objectives:
            raise AutotunerError(
                ErrorCode.CONTRADICTION,
                f"The strategy {self.name} cannot search for several objectives",
                why=f"it orders configurations by one figure, and there are {len(setup.directions)} objectives",
                remedy="Give one objective, or use bayesian, tpe, gp, nsga2 or nsga3",
                place="optimization.strategy",
            )


def _tpe(seed: int) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed, n_startup_trials=1)


def _gp(seed: int) -> BaseSampler:
    from optuna.samplers import GPSampler

    return GPSampler(seed=seed, n_startup_trials=1)


def _nsga2(seed: int) -> BaseSampler:
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(seed=seed, population_size=POPULATION)


def _nsga3(seed: int) -> BaseSampler:
    from optuna.samplers import NSGAIIISampler

    return NSGAIIISampler(seed=seed, population_size=POPULATION)


def _cmaes(seed: int) -> BaseSampler:
    from optuna.samplers import CmaEsSampler

    return CmaEsSampler(seed=seed, n_startup_trials=1, popsize=CMA_POPULATION, warn_independent_sampling=False)


def _after_generations(trials: Sequence[FrozenTrial], build: Build, distributions: Distributions) -> Study:
    """The last, incomplete generation, with the state that CMA-ES has after all before it.

    The sampler leaves its state on the trial that it proposes and looks for it on those that are complete. So it is
    asked once after each generation, and what it left is written to the last trial of that.
    """
    state: dict[str, Any] = {}
    begin = 0
    for begin in range(CMA_POPULATION, len(trials) + 1, CMA_POPULATION):
        study = build(_with_state(trials[max(0, begin - CMA_POPULATION - 1) : begin], state))
        study.sampler = _cmaes(seed=0)  # of no matter: what is proposed here is not looked at
        number = study.ask(distributions).number
        attributes = study.get_trials(deepcopy=False)[number].system_attrs
        state = {key: value for key, value in attributes.items() if key.startswith(_CMA_STATE)}
    return build(_with_state(trials[max(0, begin - 1) :], state))


def _with_state(trials: Sequence[FrozenTrial], state: Mapping[str, Any]) -> Sequence[FrozenTrial]:
    """The trials, the first of which has the state: it is the last of the generation before."""
    if not state:
        return trials
    from optuna.trial import create_trial

    first = trials[0]
    carrying = create_trial(
        values=first.values,
        params=first.params,
        distributions=first.distributions,
        system_attrs={**first.system_attrs, **state},
    )
    return [carrying, *trials[1:]]


TPE = Method("tpe", _tpe)
GP = Method("gp", _gp, extra="torch", asks=4)
NSGA2 = Method(
    "nsga2", _nsga2, startup=POPULATION, attributes=lambda place: {"NSGAIISampler:generation": place // POPULATION}
)
NSGA3 = Method(
    "nsga3", _nsga3, startup=POPULATION, attributes=lambda place: {"NSGAIIISampler:generation": place // POPULATION}
)
CMAES = Method(
    "cmaes",
    _cmaes,
    startup=CMA_POPULATION,
    constraints=False,
    several_objectives=False,
    attributes=lambda place: {"cma:generation": place // CMA_POPULATION},
    study=_after_generations,
)
