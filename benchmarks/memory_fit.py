"""Compares the memory estimate with tables of predicted servers: weights, KV cache, and who cannot start.

    python benchmarks/memory_fit.py FOLDER_OR_FILE …

Each file is a Parquet table (pyarrow must be installed to read it) or a CSV of the same columns: layout, precision,
workload, ``mem_weights_gib``, ``mem_kvcache_gib`` and ``status`` (ok, kv_oom: starts, but holds fewer sequences than
asked; oom: does not start). Nothing is timed, so a busy machine does no harm.

The tables divide embedding and output head evenly by the pipeline stages, and leave the output head of mixtures of
experts out. So the weights are compared twice: counted in that way, and as they lie on the fullest GPU.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autotuner.engines.memory_policies import memory_policy
from autotuner.engines.model_folder import read_model_folder
from autotuner.modelling.facts import ModelFacts, Part
from autotuner.modelling.gpus import GIB, gpu_type
from autotuner.modelling.layout import Layout
from autotuner.modelling.memory import Fit, Load, Precision, fit
from autotuner.modelling.weights import stage_weights, weight_bits

CONFIGS = Path(__file__).resolve().parents[1] / "tests" / "data" / "model_configs"
MODELS = {
    "Qwen/Qwen3-32B": "qwen3-32b.json",
    "Qwen/Qwen3-235B-A22B": "qwen3-235b-a22b.json",
    "meta-llama/Meta-Llama-3.1-8B": "llama-3.1-8b.json",
}
"""Configurations of the tables' models."""

ENGINES = {"trtllm": "tensorrt-llm"}
STARTS = ("ok", "kv_oom")
WEIGHTS_WITHIN, KV_WITHIN = 0.03, 0.01

Row = Mapping[str, Any]


@dataclass
class Shares:
    """What became of the rows of one table and engine."""

    rows: int = 0
    weights: int = 0
    """Rows whose weights are within 3 % when counted as the table counts them."""
    fullest: int = 0
    """Rows whose weights on the fullest GPU are within 3 % of the table's."""
    kv: int = 0
    """Rows whose KV cache per token is within 1 %."""
    worst_weights: float = 0.0
    worst_fullest: float = 0.0
    worst_kv: float = 0.0
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By status and verdict."""
    stages: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Rows by pipeline stages and type of the weights."""
    apart: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Those of them whose weights on the fullest GPU are not within 3 %."""

    def add(self, row: Row, compared: Compared) -> None:
        """Count one row."""
        self.rows += 1
        self.weights += compared.weights <= WEIGHTS_WITHIN
        self.fullest += compared.fullest <= WEIGHTS_WITHIN
        kind = int(row["pp"]), str(row["gemm_quant"])
        self.stages[kind] += 1
        self.apart[kind] += compared.fullest > WEIGHTS_WITHIN
        self.worst_fullest = max(self.worst_fullest, compared.fullest)
        self.kv += compared.kv <= KV_WITHIN
        self.worst_weights = max(self.worst_weights, compared.weights)
        self.worst_kv = max(self.worst_kv, compared.kv)
        self.verdicts[str(row["status"]), compared.fit.verdict] += 1

    def refused_although_they_start(self) -> int:
        """Rows that start and are called "cannot fit"."""
        return sum(self.verdicts[status, "cannot fit"] for status in STARTS)

    def of_those_that_do_not_start(self, *verdicts: str) -> float | None:
        """Share of the ``oom`` rows with one of these verdicts; None without such rows."""
        whole = sum(number for (status, _), number in self.verdicts.items() if status == "oom")
        return sum(self.verdicts["oom", verdict] for verdict in verdicts) / whole if whole else None

    def lines(self) -> Iterator[str]:
        """The shares, one a line."""
        yield f"weights within 3 %, counted as the table does: {self.weights / self.rows:.1%} of {self.rows} rows"
        yield f"  (greatest difference {self.worst_weights:.2%}); on the fullest GPU {self.fullest / self.rows:.1%}"
        for (stages, precision), number in sorted((+self.apart).items()):
            whole = self.stages[stages, precision]
            yield f"  not within 3 % on the fullest GPU: {number} of {whole} rows with pp {stages}, {precision}"
        yield f"  (greatest difference {self.worst_fullest:.2%})"
        yield f"KV cache per token within 1 %: {self.kv / self.rows:.1%} (greatest difference {self.worst_kv:.3%})"
        starting = sum(number for (status, _), number in self.verdicts.items() if status in STARTS)
        yield f"called cannot fit although they start: {self.refused_although_they_start()} of {starting}"
        cannot = self.of_those_that_do_not_start("cannot fit")
        either = self.of_those_that_do_not_start("cannot fit", "tight")
        if cannot is None or either is None:
            yield "no row that does not start"
        else:
            whole = sum(number for (status, _), number in self.verdicts.items() if status == "oom")
            yield f"of {whole} that do not start: {cannot:.1%} called cannot fit, {either:.1%} cannot fit or tight"


@dataclass(frozen=True)
class Compared:
    """The estimate beside one row: relative differences, and the verdict."""

    weights: float
    fullest: float
    kv: float
    fit: Fit


def compare(row: Row, models: Mapping[str, ModelFacts]) -> Compared:
    """The estimate of a row's server beside what the row says."""
    facts = models[row["model"]]
    width = {"moe_tp": row["moe_tp"], "moe_ep": row["moe_ep"]} if facts.experts is not None else {}
    layout = Layout(tp=row["tp"], pp=row["pp"], dp=row["dp"], **width)
    precision = Precision(gemm=row["gemm_quant"], kv=row["kv_quant"])
    tokens = row["isl"] + row["osl"]
    load = Load(context=tokens, max_num_seqs=row["bs"], max_num_batched_tokens=row["max_num_batched_tokens"])
    _, policy = memory_policy(ENGINES.get(row["backend"], row["backend"]))
    found = fit(facts, gpu_type(row["system"]), layout, load, policy, precision)
    bits = weight_bits(facts, gemm=precision.gemm)
    left_out = () if facts.experts is None else (Part.HEAD,)
    stages = [stage_weights(facts, layout, bits, stage) for stage in range(layout.pp)]
    as_table = sum(size for held in stages for part, size in held.items() if part not in left_out) / layout.pp
    given = row["mem_weights_gib"] * GIB
    # A row's bs is of each pipeline stage, so pp times as many sequences have their keys and values on a GPU.
    kv_given = row["mem_kvcache_gib"] * GIB / (row["bs"] * row["pp"] * tokens)
    return Compared(
        weights=abs(as_table / given - 1),
        fullest=abs(found.parts.weights / given - 1),
        kv=abs(found.kv_bytes_per_token / kv_given - 1),
        fit=found,
    )


def read_models() -> dict[str, ModelFacts]:
    """The tables' models."""
    return {name: read_model_folder(str(CONFIGS / file)) for name, file in MODELS.items()}


def has_memory(row: Row) -> bool:
    """Whether a row has figures: unsupported and invalid layouts have none."""
    return row["status"] in (*STARTS, "oom")


def read_rows(file: Path) -> Iterable[Row]:
    """The rows of a table with figures. SystemExit when it cannot be read here."""
    if file.suffix == ".parquet":
        try:
            parquet = importlib.import_module("pyarrow.parquet")
        except ImportError:
            sys.exit(f"{file.name} is a Parquet file, and pyarrow is not installed (pip install pyarrow)")
        return [row for row in parquet.read_table(file).to_pylist() if has_memory(row)]
    packed = file.read_bytes()
    text = (gzip.decompress(packed) if file.suffix == ".gz" else packed).decode()
    return [row for row in map(_typed, csv.DictReader(text.splitlines())) if has_memory(row)]


def _typed(row: Mapping[str, str]) -> Row:
    return {key: _value(key, text) for key, text in row.items()}


def _value(key: str, text: str) -> str | int | float:
    if key.startswith("mem_"):
        return float(text or "nan")
    return int(text) if text.lstrip("-").isdigit() else text


def table_shares(rows: Iterable[Row], models: Mapping[str, ModelFacts]) -> dict[str, Shares]:
    """Shares of the whole table, then by engine."""
    shares = {"all": Shares()}
    for row in rows:
        compared = compare(row, models)
        for name in ("all", str(row["backend"])):
            shares.setdefault(name, Shares()).add(row, compared)
    return shares


def tables(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that are named, and the tables in folders; measured points are no such table."""
    for path in paths:
        if path.is_dir():
            yield from (file for file in sorted(path.glob("*.parquet")) if not file.name.startswith("measured"))
        else:
            yield path


def main() -> None:
    parser = argparse.ArgumentParser(description="compare the memory estimate with predicted tables")
    parser.add_argument("paths", type=Path, nargs="+", help="tables, or folders of them")
    models = read_models()
    for file in tables(parser.parse_args().paths):
        print(file.name)
        for name, shares in table_shares(read_rows(file), models).items():
            print(f"  {name}")
            for line in shares.lines():
                print(f"    {line}")


if __name__ == "__main__":
    main()
