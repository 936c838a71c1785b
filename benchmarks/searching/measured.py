"""Small tasks on measured points: published measurements of real servers on real GPUs, with predictions beside them.

A task is one model, system, back end, prompt and answer length with at least 24 measured configurations of precision,
layout and concurrency. Repeated measurements are averaged (geometrically). Layouts that were not measured are known
constraints. The objective is the output tokens/s per GPU of a closed loop, concurrency × answer tokens / (TTFT + TPOT ×
(answer tokens − 1)) / GPUs, under the medians of TTFT and TPOT of the task.

GPUs are ``moe_tp × moe_ep``. Some rows name more than the 8 GPUs of a node, 4 × 4 or 8 × 8: there the product of two
layouts of the same GPUs was written down, so the root of it is taken.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

from autotuner.contracts.values import Configuration
from searching.landscape import Point, Task, make_task

FILE = "measured_vs_predicted.parquet"
LEAST = 24
_NODE = 8
_USUAL = 256
"""The default is the layout with the fewest GPUs, at the concurrency nearest to this one: vLLM's max_num_seqs."""

_MODEL, _LENGTHS = ("model_path", "system", "backend"), ("isl", "osl")
_LAYOUT = {
    "precision": "precision",
    "tp": "tp_size",
    "pp": "pp_size",
    "dp": "attention_dp_size",
    "moe_tp": "moe_tp_size",
    "moe_ep": "moe_ep_size",
    "concurrency": "silicon_concurrency",
}

Record = Mapping[str, Any]


def names(folder: Path) -> list[str]:
    """Of all tasks; none where the file is not there."""
    return list(_groups(folder)) if (folder / FILE).is_file() else []


def tasks(folder: Path, wanted: Sequence[str]) -> Iterator[Task]:
    """Those of the names."""
    for name in _groups(folder):
        if name in wanted:
            yield measured_task(folder, name)


@cache
def measured_task(folder: Path, name: str) -> Task:
    """One of them. The neighbour is the same server with other lengths."""
    groups = _groups(folder)
    rows = groups[name]
    points = [_point(configuration, repeats, "silicon") for configuration, repeats in rows]
    predictions = [
        _point(configuration, predicted, "pred")
        for configuration, repeats in rows
        if (predicted := [r for r in repeats if r["pred_tpot_ms"] is not None and r["pred_ttft_ms"] is not None])
    ]
    least = min(point.gpus for point in points)
    far = [abs(math.log(repeats[0]["silicon_concurrency"] / _USUAL)) for _, repeats in rows]
    default = min((away, number) for number, away in enumerate(far) if points[number].gpus == least)[1]
    others = [other for other in groups if other != name and other.rpartition("/")[0] == name.rpartition("/")[0]]
    return make_task(
        name,
        "measured",
        points,
        {figure: median(point.figures[figure] for point in points) for figure in ("ttft", "tpot")},
        points[default].configuration,
        predictions=predictions,
        predicted_by="aiconfigurator",
        neighbour=others[0] if others else None,
        settings={"tensor_parallel": "tp", "seqs": "concurrency", "weights": "precision"},
    )


@cache
def _groups(folder: Path) -> Mapping[str, list[tuple[Configuration, list[Record]]]]:
    """Configurations with their measurements, by the name of the task."""
    grouped: defaultdict[str, dict[str, tuple[Configuration, list[Record]]]] = defaultdict(dict)
    for record in _read(folder / FILE):
        if record["mode"] != "agg" or any(record[column] is None for column in _LAYOUT.values()):
            continue
        configuration = {name: _plain(record[column]) for name, column in _LAYOUT.items()}
        model, system, backend = (str(record[column]).rpartition("/")[2] for column in _MODEL)
        name = f"{model.lower()}_{system.removesuffix('_sxm')}/{backend}/{record['isl']}-{record['osl']}"
        grouped[name].setdefault(str(configuration), (configuration, []))[1].append(record)
    return {name: list(by.values()) for name, by in sorted(grouped.items()) if len(by) >= LEAST}


def _read(path: Path) -> list[Record]:
    columns = [*_MODEL, *_LENGTHS, *_LAYOUT.values(), "mode"]
    columns += [f"{source}_{figure}_ms" for source in ("silicon", "pred") for figure in ("ttft", "tpot")]
    records: list[Record] = import_module("pyarrow.parquet").read_table(path, columns=columns).to_pylist()
    return records


def _point(configuration: Configuration, records: Sequence[Record], source: str) -> Point:
    ttft, tpot = (geometric_mean(r[f"{source}_{figure}_ms"] / 1000 for r in records) for figure in ("ttft", "tpot"))
    osl = records[0]["osl"]
    gpus = _gpus(records[0]["moe_tp_size"] * records[0]["moe_ep_size"])
    rate = records[0]["silicon_concurrency"] * osl / (ttft + tpot * (osl - 1)) / gpus
    return Point(configuration, rate, {"ttft": ttft, "tpot": tpot}, gpus)


def _gpus(product: float) -> int:
    return int(product) if product <= _NODE else math.isqrt(int(product))


def _plain(value: Any) -> str | int:
    return int(value) if isinstance(value, float) else str(value)
