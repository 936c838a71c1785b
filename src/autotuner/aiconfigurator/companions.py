"""What the files that lie beside an imported one add to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from autotuner.aiconfigurator.content import Content, Server

SIZES = ("tp", "pp", "dp", "moe_tp", "moe_ep", "batch")


@dataclass(frozen=True)
class Companions:
    """Read from the folder of a file. None: there is no such file, or it cannot be read."""

    experiment: Content | None = None
    """The search space from which the configuration was chosen: exp_config.yaml."""
    row: Content | None = None
    """The row of the table that has its figures: best_config_topn.csv."""
    memory_fraction: float | None = None
    """Of the engine's own configuration file."""


def with_companions(content: Content, beside: Companions) -> Content:
    """The content with the engine, GPUs, limits and figures that only the others have. Other models' are left."""
    remarks = list(content.remarks)
    experiment = beside.experiment
    if experiment is not None and experiment.model == content.model and not content.searches:
        content = replace(
            content,
            backend=content.backend or experiment.backend,
            targets={**experiment.targets, **content.targets},
            total_gpus=content.total_gpus if content.generation == "E" else experiment.total_gpus,
        )
        remarks.append("exp_config.yaml beside it gave the limits on latencies")
    row = beside.row
    if row is not None and content.generation == "E" and _same(content, row):
        content = replace(
            content, backend=content.backend or row.backend, predicted={**row.predicted, **content.predicted}
        )
        remarks.append("best_config_topn.csv beside it gave further predicted figures")
    if beside.memory_fraction is not None and content.memory_fraction is None and content.generation == "E":
        content = replace(content, memory_fraction=beside.memory_fraction)
        remarks.append("the engine's configuration beside it gave the memory fraction")
    return replace(content, remarks=tuple(remarks))


def _same(one: Content, other: Content) -> bool:
    if one.model != other.model or len(one.servers) != len(other.servers):
        return False
    return all(_sizes(a) == _sizes(b) for a, b in zip(one.servers, other.servers, strict=True))


def _sizes(server: Server) -> tuple[object, ...]:
    return tuple(getattr(server, name) for name in SIZES)
