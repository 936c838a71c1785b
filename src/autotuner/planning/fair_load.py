"""The same load for configurations of different size: per server, per GPU, or per node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autotuner.config.benchmark import LoadPer
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.load_search import LoadSearch
from autotuner.contracts.values import Configuration, Scalar
from autotuner.contracts.workload import LoadPoint, Workload
from autotuner.planning.dimensions import AnyDimension
from autotuner.planning.resolve import Resolver

MOST_VALUES = 64
"""Values of one parameter that are looked at for the number of GPUs they make."""


@dataclass(frozen=True)
class FairLoad:
    """What the document's loads are given for. ``total_gpus``: of the node, which several servers may fill."""

    per: LoadPer = "server"
    total_gpus: int | None = None

    def factor(self, gpus: int | None) -> float:
        """By what the document's loads are multiplied for a server of so many GPUs."""
        if not gpus or self.per == "server":
            return 1.0
        if self.per == "gpu":
            return float(gpus)
        return 1.0 / max(1, (self.total_gpus or gpus) // gpus)

    def of(self, workload: Workload, gpus: int | None) -> Workload:
        """The workload of a server of so many GPUs.

        Load points keep the document's names. A concurrency is rounded to a whole number, at least 1. A search is not
        renamed: its loads are what it finds for this server.
        """
        factor = self.factor(gpus)
        if factor == 1.0:
            return workload
        if workload.load_search is not None:
            search = _search(workload.load_search, factor)
            ends = tuple(workload.searched_point(load) for load in (search.lowest, search.highest))
            return workload.model_copy(update={"load_search": search, "load_points": ends})
        points = tuple(_point(point, factor) for point in workload.load_points)
        return workload.model_copy(update={"load_points": points})


AS_GIVEN = FairLoad()
"""Every server gets the loads of the document."""


def fair_load(
    asked: LoadPer | None, resolver: Resolver, dimensions: Sequence[AnyDimension], planned: Sequence[Configuration]
) -> tuple[FairLoad, str | None]:
    """What loads are given for, with the default filled in, and a warning for the plan.

    AutotunerError(CONTRADICTION) where it needs a number of GPUs that is not known.
    """
    total = resolver.context.total_gpus
    sizes = world_sizes(resolver, dimensions, planned)
    differ = len(sizes) > 1
    per = asked or ("gpu" if differ else "server")
    if per != "server" and not sizes:
        raise _unknown(per, "how many GPUs a configuration uses", "Leave load_per out: the loads are those of a server")
    if per == "node" and not total:
        raise _unknown(per, "how many GPUs the node has", "Set system_config.total_gpus")
    warning = None
    if per == "server" and differ:
        warning = (
            f"configurations use {_listed(sizes)} GPUs and every server gets the same load, so the smaller ones have "
            "more of it per GPU, and their throughput per GPU is not compared at one load; "
            "benchmark.load_per: gpu compares them fairly"
        )
    return FairLoad(per, total), warning


def world_sizes(
    resolver: Resolver, dimensions: Sequence[AnyDimension], planned: Sequence[Configuration]
) -> tuple[int, ...]:
    """The numbers of GPUs that configurations may use, ascending; empty where none is known.

    Those ``planned`` anyway, and those of the space: one parameter at a time is changed, which shows every parameter
    that changes the number. (Sizes are products, so further ones may come from changing several.) Sizes above the GPUs
    that there are do not count.
    """
    found = {resolver.world_size(configuration) for configuration in planned}
    finite = {dimension.name: _values(dimension) for dimension in dimensions if dimension.size is not None}
    first = {name: values[0] for name, values in finite.items()}
    found |= {resolver.world_size({**first, name: value}) for name, values in finite.items() for value in values}
    total = resolver.context.total_gpus
    return tuple(sorted(size for size in found if size and (not total or size <= total)))


def _values(dimension: AnyDimension) -> list[Scalar]:
    """All values of a dimension; of a long one the first, the last, and some between."""
    size = dimension.size or 0
    step = max(1, size // MOST_VALUES)
    return [dimension.value(index) for index in sorted({*range(0, size, step), size - 1})]


def _point(point: LoadPoint, factor: float) -> LoadPoint:
    update: dict[str, object] = {"label": point.label or point.load_text}
    if point.concurrency is not None:
        update["concurrency"] = max(1, round(point.concurrency * factor))
    elif point.replay_speed is not None:
        update["replay_speed"] = point.replay_speed * factor
    elif point.request_rate is not None:
        update["request_rate"] = point.request_rate * factor
    return point.model_copy(update=update)


def _search(search: LoadSearch, factor: float) -> LoadSearch:
    def scaled(load: float) -> float:
        return max(1.0, float(round(load * factor))) if search.by == "concurrency" else load * factor

    lowest = scaled(search.lowest)
    highest = max(scaled(search.highest), 2 * lowest)
    start = min(max(scaled(search.start), lowest), highest)
    return search.model_copy(update={"lowest": lowest, "highest": highest, "start": start})


def _listed(sizes: Sequence[int]) -> str:
    return f"{', '.join(map(str, sizes[:-1]))} or {sizes[-1]}"


def _unknown(per: LoadPer, what: str, remedy: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.CONTRADICTION,
        f"the load cannot be given per {per}",
        why=f"it is not known {what}",
        remedy=remedy,
        place="benchmark.load_per",
    )
