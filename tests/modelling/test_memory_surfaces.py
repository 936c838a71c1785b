"""The memory estimate beside tables of predicted servers: the shares that are promised.

The excerpt holds a row of each layout, precision and status; the whole tables lie beside the repository where it is
developed.
"""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXCERPT = ROOT / "tests" / "data" / "memory_surfaces" / "excerpt.csv.gz"
SURFACES = ROOT.parent / "shared" / "surfaces"
FILES = ("llama31_8b_l40s.parquet", "qwen3_32b_h200.parquet", "qwen3_235b_h200.parquet")


@pytest.fixture
def memory_fit(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("memory_fit")


def check(memory_fit: ModuleType, file: Path) -> int:
    """The promises for a table; the number of its rows that do not start."""
    by_engine = memory_fit.table_shares(memory_fit.read_rows(file), memory_fit.read_models())
    shares = by_engine["all"]
    told = f"{file.name}: {list(shares.lines())}"
    assert shares.rows > 100, told
    assert shares.weights == shares.rows, told
    assert shares.kv == shares.rows, told
    assert shares.refused_although_they_start() == 0, told
    refused = shares.of_those_that_do_not_start("cannot fit")
    if refused is not None:
        assert refused >= 0.8, told
        assert shares.of_those_that_do_not_start("cannot fit", "tight") >= 0.95, told
    return sum(number for (status, _), number in shares.verdicts.items() if status == "oom")


def test_the_excerpt(memory_fit: ModuleType) -> None:
    assert check(memory_fit, EXCERPT) > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_whole_table(memory_fit: ModuleType, name: str) -> None:
    file = SURFACES / name
    if not file.is_file():
        pytest.skip(f"{file} is not here")
    if importlib.util.find_spec("pyarrow") is None:
        pytest.skip("pyarrow, which reads Parquet, is not installed")
    check(memory_fit, file)
