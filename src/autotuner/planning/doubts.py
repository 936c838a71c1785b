"""What may fail of what is launched all the same. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autotuner.contracts.search import RandomSource
from autotuner.contracts.values import Configuration
from autotuner.planning.plan import PlannedExperiment
from autotuner.planning.resolve import Resolver
from autotuner.planning.space import ParameterSpace

LOOKED_AT = 200
"""Configurations that are looked at; of a larger space as many random ones."""


def doubts(
    space: ParameterSpace, planned: Sequence[PlannedExperiment], resolver: Resolver, rng: RandomSource
) -> Iterator[str]:
    """Sentences on planned and searched configurations of which a rule cannot tell whether their server starts.

    ``rng`` is used only where a rule has remarks and the space has more than ``LOOKED_AT`` combinations.
    """
    if not any(rule.remark for rule in resolver.rules or ()):
        return
    for experiment in planned:
        for sentence in _doubtful(resolver, experiment.configuration):
            yield f"the {experiment.origin.value} {experiment.label!r} may not start: {sentence}"
    size = space.grid_size
    if size is not None and size <= LOOKED_AT:
        looked, kind = list(space.enumerate()), ""
    else:
        drawn = (space.sample(rng) for _ in range(LOOKED_AT))
        looked, kind = [configuration for configuration in drawn if configuration is not None], "random "
    found = [sentences[0] for configuration in looked if (sentences := _doubtful(resolver, configuration))]
    if found:
        yield f"{len(found)} of {len(looked)} {kind}configurations may not start, such as one of which: {found[0]}"


def _doubtful(resolver: Resolver, configuration: Configuration) -> list[str]:
    return [remark.sentence for remark in resolver.remarks(configuration) if remark.doubtful]
