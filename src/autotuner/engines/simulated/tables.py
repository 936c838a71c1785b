"""Reads tables of predictions: packaged ones by name, others by path."""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.resources import files
from pathlib import Path

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.simulated.options import SimulationOptions
from autotuner.engines.simulated.surface import LAYOUT, Row, Surface, Workload

TOOL_VERSION = "0.12.0"
"""Version of aiconfigurator, which made the packaged tables."""

_SUFFIX = ".csv.gz"
_INTEGERS = {"tp", "pp", "dp", "moe_tp", "moe_ep"}
_NEEDED = (*LAYOUT, "model", "system", "backend", "backend_version", "isl", "osl", "max_num_batched_tokens", "bs",
           "replicas", "status", "error", "ttft_ms", "tpot_ms", "output_tok_s_node", "kv_capacity_seqs")  # fmt: skip


def packaged_surfaces() -> list[str]:
    """Names of the tables that come with the package."""
    folder = files(__package__) / "surfaces"
    return sorted(entry.name.removesuffix(_SUFFIX) for entry in folder.iterdir() if entry.name.endswith(_SUFFIX))


class Tables:
    """Reads each table once and keeps its surfaces."""

    def __init__(self) -> None:
        self._read: dict[str, dict[Workload, Surface]] = {}

    def surface(self, options: SimulationOptions, longest_request: int) -> Surface:
        """The part of the table that the options ask for.

        ``longest_request`` (tokens; 0: unknown) decides where the options leave the lengths open. Raises
        AutotunerError: MISSING_FILE, MISSING_EXTRA, INVALID_DOCUMENT (not such a table), INVALID_VALUE (no or several
        parts fit).
        """
        surfaces = self._read.get(options.surface)
        if surfaces is None:
            surfaces = self._read[options.surface] = _build(options.surface, _records(options.surface))
        fitting = [
            workload
            for workload in surfaces
            if options.backend in {None, workload.backend}
            and options.isl in {None, workload.isl}
            and options.osl in {None, workload.osl}
        ]
        if len(fitting) > 1 and options.isl is None and options.osl is None:
            fitting = [w for w in fitting if w.isl + w.osl == longest_request] or fitting
        if len(fitting) == 1:
            return surfaces[fitting[0]]
        choices = ", ".join(f"{w.backend} {w.isl}/{w.osl}" for w in surfaces)
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            f"{'No' if not fitting else 'More than one'} part of the table {options.surface} fits",
            why=f"backend, isl and osl choose one of: {choices}",
            remedy="Set simulation.backend, simulation.isl and simulation.osl to one of these",
            place="simulation",
        )


def _records(surface: str) -> Iterable[Mapping[str, object]]:
    if surface in packaged_surfaces():
        return _csv((files(__package__) / "surfaces" / f"{surface}{_SUFFIX}").read_bytes(), compressed=True)
    path = Path(surface)
    if not path.is_file():
        raise AutotunerError(
            ErrorCode.MISSING_FILE,
            f"There is no table of predictions {surface!r}",
            why=f"it is neither a file nor one of the packaged tables: {', '.join(packaged_surfaces())}",
            remedy="Give a packaged name or the path of a .parquet, .csv or .csv.gz file",
            place="simulation.surface",
        )
    if path.suffix == ".parquet":
        return _parquet(path)
    return _csv(path.read_bytes(), compressed=path.suffix == ".gz")


def _csv(content: bytes, *, compressed: bool) -> Iterable[Mapping[str, object]]:
    text = (gzip.decompress(content) if compressed else content).decode()
    return csv.DictReader(io.StringIO(text))


def _parquet(path: Path) -> Iterable[Mapping[str, object]]:
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError as error:
        raise AutotunerError(
            ErrorCode.MISSING_EXTRA,
            "Parquet tables can't be read",
            why="pyarrow is not installed",
            remedy="Run `pip install pyarrow`, or use a packaged table",
            place="simulation.surface",
        ) from error
    records: list[Mapping[str, object]] = parquet.read_table(path, columns=list(_NEEDED)).to_pylist()
    return records


def _build(name: str, records: Iterable[Mapping[str, object]]) -> dict[Workload, Surface]:
    rows: defaultdict[Workload, list[Row]] = defaultdict(list)
    labels: dict[Workload, tuple[str, str, str]] = {}
    try:
        for record in records:
            workload = Workload(str(record["backend"]), _int(record["isl"]), _int(record["osl"]))
            rows[workload].append(_row(record))
            labels[workload] = (str(record["model"]), str(record["system"]), str(record["backend_version"]))
    except (KeyError, TypeError, ValueError) as error:
        raise AutotunerError(
            ErrorCode.INVALID_DOCUMENT,
            f"{name} is no table of predictions",
            why=f"a row can't be read ({type(error).__name__}: {error})",
            remedy=f"It needs the columns {', '.join(_NEEDED)}",
            place="simulation.surface",
        ) from error
    return {
        workload: Surface(name, model, system, version, workload, rows[workload])
        for workload, (model, system, version) in labels.items()
    }


def _row(record: Mapping[str, object]) -> Row:
    # A prediction without a capacity is one in which memory was no question: the batch fits.
    capacity = record["kv_capacity_seqs"]
    if capacity in {None, ""} and record["status"] == "ok":
        capacity = record["bs"]
    return Row(
        layout=tuple(_int(record[c]) if c in _INTEGERS else str(record[c]) for c in LAYOUT),
        tokens=_int(record["max_num_batched_tokens"]),
        bs=_int(record["bs"]),
        replicas=_int(record["replicas"]),
        status=str(record["status"]),
        error=str(record["error"] or ""),
        ttft_s=_float(record["ttft_ms"]) / 1000,
        tpot_s=_float(record["tpot_ms"]) / 1000,
        throughput=_float(record["output_tok_s_node"]),
        kv_capacity=int(_float(capacity)),
    )


def _int(value: object) -> int:
    return int(str(value))


def _float(value: object) -> float:
    """Empty for a configuration that was not predicted."""
    return 0.0 if value is None or value == "" else float(str(value))
