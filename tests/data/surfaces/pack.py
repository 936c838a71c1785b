"""Makes the compressed tables in this folder of those that ``make_surfaces.py`` writes: ``pack.py FILE.parquet …``.

Kept are the columns that the simulated engine reads, floats with 7 significant digits, and the rows that the back end
can run. Needs pyarrow.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from pathlib import Path

import pyarrow.parquet as parquet

COLUMNS = (
    "model", "system", "backend", "backend_version", "isl", "osl", "tp", "pp", "dp", "moe_tp", "moe_ep", "gemm_quant",
    "kv_quant", "max_num_batched_tokens", "bs", "replicas", "status", "error", "ttft_ms", "tpot_ms",
    "output_tok_s_node", "kv_capacity_seqs",
)  # fmt: skip


def packed(path: Path) -> bytes:
    """The table as compressed CSV, the same bytes for the same table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in parquet.read_table(path, columns=list(COLUMNS)).to_pylist():
        if row["status"] in {"ok", "kv_oom", "oom"}:
            writer.writerow([_cell(row[column]) for column in COLUMNS])
    return gzip.compress(text.getvalue().encode(), mtime=0)


def _cell(value: object) -> object:
    return f"{value:.7g}" if isinstance(value, float) else value


if __name__ == "__main__":
    for given in map(Path, sys.argv[1:]):
        target = Path(__file__).parent / f"{given.stem}.csv.gz"
        target.write_bytes(packed(given))
        sys.stdout.write(f"{target.name}: {target.stat().st_size} bytes\n")
