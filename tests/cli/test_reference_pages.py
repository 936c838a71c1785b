"""docs/reference is what the code says."""

from pathlib import Path
from typing import Any

import pytest

from autotuner.cli.reference import pages
from autotuner.cli.reference.__main__ import write
from autotuner.cli.reference.engine import WHOLE
from autotuner.config.document import TaskDocument
from autotuner.config.load import to_data
from autotuner.engines.registry import ENGINES, engine

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


def test_every_page_is_current() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert written == pages(), "run: make reference"


def test_writing_makes_the_pages_and_removes_those_of_an_engine_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "engine-gone.md").write_text("old")
    write(tmp_path)
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == pages()


def leaves(data: dict[str, Any], place: str = "") -> list[str]:
    found: list[str] = []
    for key, value in data.items():
        path = f"{place}.{key}" if place else key
        found += leaves(value, path) if isinstance(value, dict) and value else [path]
    return found


def test_the_page_of_the_task_has_every_key_of_a_whole_document() -> None:
    page = pages()["task.md"]
    listed = leaves(to_data(TaskDocument()))
    assert len(listed) > 40
    assert [path for path in listed if f"`{path}`" not in page] == []
    assert "`optimization.references.N.label`" in page
    assert "## `slo.{ttft,tpot,latency}`" in page
    assert all(f"`{name}`" in page for name in ENGINES.names())


@pytest.mark.parametrize("name", ENGINES.names())
def test_the_page_of_an_engine_has_its_parameters_and_rules(name: str) -> None:
    page = pages()[f"engine-{name}.md"]
    parameters = engine(name).catalogue.parameters
    whole = len(parameters) < WHOLE
    listed = [entry for entry in parameters if whole or entry.commonly_tuned]
    assert whole or f"catalogue-{name}.md" in page
    for entry in listed:
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{entry.name}` |"))
        assert row.count("|") - row.count("\\|") == 9, "a bar in a cell would shift the columns"
        assert f"`{entry.flag or entry.key}`" in row
        assert entry.help.replace("|", "\\|") in row
    assert all(f"| `{rule.name}` |" in page for rule in engine(name).rules)
