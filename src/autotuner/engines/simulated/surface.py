"""A table of predictions: for each layout, precision, token budget and batch size what a server would do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from autotuner.contracts.values import Scalar

LAYOUT = ("tp", "pp", "dp", "moe_tp", "moe_ep", "gemm_quant", "kv_quant")
"""Columns that must be met exactly."""

Layout = tuple[Scalar, ...]


@dataclass(frozen=True)
class Row:
    """One prediction. Times in seconds, throughput of all replicas of the node in output tokens per second."""

    layout: Layout
    tokens: int
    """max_num_batched_tokens"""
    bs: int
    """Requests at once per data-parallel rank and pipeline stage; equals max_num_seqs."""
    replicas: int
    status: str
    """ok, kv_oom, oom, unsupported, invalid or no_data."""
    error: str
    ttft_s: float
    tpot_s: float
    throughput: float
    kv_capacity: int
    """Sequences that fit into the KV cache, per rank."""

    @property
    def values(self) -> dict[str, Scalar]:
        """Its parameters by canonical name."""
        return dict(zip(LAYOUT, self.layout, strict=True)) | {
            "max_num_batched_tokens": self.tokens,
            "max_num_seqs": self.bs,
        }

    @property
    def starts(self) -> bool:
        """Whether the server would start: ``kv_oom`` starts and queues, ``oom`` does not."""
        return self.status in {"ok", "kv_oom"}

    @property
    def ranks(self) -> int:
        """What ``bs`` is multiplied with to give the requests of the whole node."""
        _, pp, dp, *_ = self.layout
        return _integer(pp) * _integer(dp) * self.replicas

    def shared_by(self, replicas: int | None) -> Row:
        """The same with so many replicas, whatever the node of the table holds; None: as in the table."""
        if replicas is None:
            return self
        return replace(self, replicas=replicas, throughput=self.throughput * replicas / max(1, self.replicas))

    @property
    def gpus(self) -> int:
        """GPUs of all replicas together."""
        tp, pp, dp, *_ = self.layout
        return _integer(tp) * _integer(pp) * _integer(dp) * self.replicas


@dataclass(frozen=True)
class Workload:
    """What one part of a table was predicted for. Lengths in tokens."""

    backend: str
    isl: int
    osl: int


class Surface:
    """The predictions of one workload."""

    def __init__(
        self, name: str, model: str, system: str, version: str, workload: Workload, rows: Iterable[Row]
    ) -> None:
        self.name = name
        self.model = model
        self.system = system
        self.version = version
        """Version of the predicted engine."""
        self.workload = workload
        self._grids: dict[Layout, dict[int, dict[int, Row]]] = {}
        for row in rows:
            self._grids.setdefault(row.layout, {}).setdefault(row.tokens, {})[row.bs] = row

    @property
    def rows(self) -> list[Row]:
        """All rows."""
        return [row for by_tokens in self._grids.values() for by_bs in by_tokens.values() for row in by_bs.values()]

    def find(self, values: Mapping[str, Scalar]) -> Row | None:
        """The row of a configuration: the layout exactly, token budget and batch nearest by ratio.

        None when the table has no such layout. Raises KeyError for a parameter that is not given and ValueError for a
        token budget or batch that is no positive number.
        """
        by_tokens = self._grids.get(tuple(values[column] for column in LAYOUT))
        if by_tokens is None:
            return None
        by_bs = by_tokens[_nearest(values["max_num_batched_tokens"], list(by_tokens))]
        return by_bs[_nearest(values["max_num_seqs"], list(by_bs))]

    def curve(self, row: Row) -> list[Row]:
        """The rows that differ from this one in the batch size only and start, by batch size."""
        by_bs = self._grids[row.layout][row.tokens]
        return [by_bs[bs] for bs in sorted(by_bs) if by_bs[bs].starts]


def _nearest(value: Scalar, present: Sequence[int]) -> int:
    number = _integer(value)
    if number <= 0:
        raise ValueError(f"{number} is not positive")
    return min(present, key=lambda candidate: (abs(math.log(candidate / number)), candidate))


def _integer(value: Scalar) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError(f"{value!r} is no whole number")
    return int(value)
