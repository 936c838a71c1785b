"""Tasks on tables of predictions: back end × prompt length × answer length.

One experiment is one row, at the load that just fills ``max_num_seqs``. Rows that the back end cannot run (``invalid``,
``unsupported``, ``no_data``) are known constraints, ``oom`` does not start, ``kv_oom`` queues. The objective is the
output tokens/s of the node, under TTFT ≤ 2 s and TPOT ≤ 50 ms with 4,000 prompt tokens, elsewhere under the medians of
the ``ok`` rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from statistics import median

from autotuner.contracts.values import Configuration
from autotuner.engines.simulated.options import SimulationOptions
from autotuner.engines.simulated.prediction import CurvePoint, Prediction
from autotuner.engines.simulated.surface import Row, Surface
from autotuner.engines.simulated.tables import Tables
from searching.landscape import Kind, Point, Task, make_task

SHIPPED = Path(__file__).resolve().parents[2] / "tests" / "data" / "surfaces"

_FOUR = ((512, 128), (1024, 1024), (4000, 500), (8000, 1000))
_THREE = _FOUR[1:]
_TWO = _FOUR[1:3]
_IN_USE = {"gemm_quant": "bfloat16", "kv_quant": "bfloat16", "max_num_batched_tokens": 8192, "max_num_seqs": 256}
"""Defaults of vLLM's server, on the fewest GPUs of one worker on which that starts."""


_SETTINGS = {"tensor_parallel": "tp", "seqs": "max_num_seqs", "weights": "gemm_quant", "cache": "kv_quant"}


@dataclass(frozen=True)
class Table:
    """A file of predictions and the tasks that are made of it."""

    name: str
    kind: Kind
    backends: tuple[str, ...]
    workloads: tuple[tuple[int, int], ...]
    tuning: bool = False

    def path(self, folder: Path) -> Path | None:
        """The file in the folder, or the one that comes with the tests; None: there is none."""
        files = (folder / f"{self.name}.parquet", SHIPPED / f"{self.name}.csv.gz")
        return next((path for path in files if path.is_file()), None)


TABLES = (
    Table("qwen3_32b_h200", "dense", ("vllm", "sglang", "trtllm"), _FOUR, tuning=True),
    Table("llama31_8b_l40s", "dense", ("vllm", "sglang"), _FOUR),
    Table("llama31_70b_h100", "dense", ("vllm", "sglang"), _TWO),
    Table("qwen3_235b_h200", "MoE", ("vllm", "sglang", "trtllm"), _THREE),
    Table("qwen3_30b_a3b_h100", "MoE", ("sglang", "trtllm"), _TWO),
)
"""Hyper-parameters are chosen on the first alone."""


def names(folder: Path, *, tuning: bool = False) -> list[str]:
    """Of all tasks whose table is there, or of those that may be tuned on."""
    wanted = [table for table in TABLES if table.path(folder) is not None and (table.tuning or not tuning)]
    return [_name(table, b, w) for table in wanted for b in table.backends for w in table.workloads]


def tasks(folder: Path, wanted: Sequence[str]) -> Iterator[Task]:
    """Those of the names; AutotunerError where a table cannot be read."""
    for table in TABLES:
        path = table.path(folder)
        for backend, workload in product(table.backends, table.workloads):
            if path is not None and _name(table, backend, workload) in wanted:
                yield surface_task(table, path, backend, workload)


@cache
def surface_task(table: Table, path: Path, backend: str, workload: tuple[int, int]) -> Task:
    """One of them. The prior is the next back end of the same table, the neighbour the workload before it."""
    read = _points(path, backend, *workload)
    other = table.backends[(table.backends.index(backend) + 1) % len(table.backends)]
    at = table.workloads.index(workload)
    before = table.workloads[at - 1 if at else 1]
    fixed = dict(read[0][1].configuration)
    return make_task(
        _name(table, backend, workload),
        table.kind,
        [point for _, point in read],
        _limits(workload, [row for row, _ in read]),
        _default([point for _, point in read]),
        predictions=[point for _, point in _points(path, other, *workload)],
        predicted_by=f"{table.name} {other}",
        neighbour=_name(table, backend, before),
        tuning=table.tuning,
        settings=_SETTINGS,
        at_share=lambda configuration, share: _at_share(path, backend, workload, fixed | dict(configuration), share),
    )


def _name(table: Table, backend: str, workload: tuple[int, int]) -> str:
    return f"{table.name}/{backend}/{workload[0]}-{workload[1]}"


@cache
def _tables() -> Tables:
    return Tables()


def _surface(path: Path, backend: str, isl: int, osl: int) -> Surface:
    return _tables().surface(SimulationOptions(surface=str(path), backend=backend, isl=isl, osl=osl), 0)


def _at_share(path: Path, backend: str, workload: tuple[int, int], configuration: Configuration, share: float) -> Point:
    surface = _surface(path, backend, *workload)
    row = surface.find(configuration)
    if row is None:
        raise ValueError(f"{path}: {configuration} is not in the table")
    return _loaded(surface, row, share)


@cache
def _points(path: Path, backend: str, isl: int, osl: int) -> list[tuple[Row, Point]]:
    """Every row that its back end can run, with what it does at the load that fills it."""
    surface = _surface(path, backend, isl, osl)
    return [
        (row, _point(surface, row)) for row in surface.rows if row.status not in {"invalid", "unsupported", "no_data"}
    ]


def _point(surface: Surface, row: Row) -> Point:
    gpus = row.gpus // row.replicas
    if not row.starts or row.kv_capacity < 1:
        return Point(row.values, None, gpus=gpus)
    if row.kv_capacity >= row.bs:  # all of its requests run at once: what the row says
        return Point(row.values, row.throughput, {"ttft": row.ttft_s, "tpot": row.tpot_s}, gpus)
    return _loaded(surface, row, 1.0)


def _loaded(surface: Surface, row: Row, share: float) -> Point:
    """At a share of the load that fills it."""
    prediction = Prediction(
        surface=surface.name,
        backend=surface.workload.backend,
        isl=surface.workload.isl,
        osl=surface.workload.osl,
        gpus=row.gpus,
        ranks=row.ranks,
        max_num_seqs=row.bs,
        kv_capacity=row.kv_capacity,
        curve=tuple(
            CurvePoint(bs=at.bs, ttft_s=at.ttft_s, tpot_s=at.tpot_s, throughput=at.throughput)
            for at in surface.curve(row)
        ),
    )
    figures = prediction.at(prediction.saturating * share)
    return Point(
        row.values,
        figures.throughput,
        {"ttft": figures.ttft_s, "tpot": figures.tpot_s},
        row.gpus // row.replicas,
    )


def _limits(workload: tuple[int, int], rows: Sequence[Row]) -> dict[str, float]:
    if workload[0] == 4000:
        return {"ttft": 2.0, "tpot": 0.05}
    fine = [row for row in rows if row.status == "ok"]
    return {"ttft": median(row.ttft_s for row in fine), "tpot": median(row.tpot_s for row in fine)}


def _default(points: Sequence[Point]) -> Configuration:
    """Engine defaults in the first layout that holds them, fewest GPUs first."""
    fitting = [
        point
        for point in points
        if point.objective is not None and all(point.configuration[name] == value for name, value in _IN_USE.items())
    ]
    return min(fitting, key=lambda point: point.gpus).configuration
