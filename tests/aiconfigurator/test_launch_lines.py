"""An imported task starts the server that aiconfigurator would start, but for what its launch rules explain."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiconfigurator_samples import DATA, ROOT, SHARED
from launch_lines import RULES, VALUES, Line, lines, table


def check(folder: Path) -> list[Line]:
    found = list(lines(folder))
    assert len(found) == 9  # one has servers of two kinds
    for line in found:
        unexplained = [name for name in line.differing if (line.engine, name) not in RULES]
        assert not unexplained, (line.sample, [(name, line.theirs[name], line.ours[name]) for name in unexplained])
    return found


def test_lines_differ_only_where_a_launch_rule_says_so() -> None:
    found = check(DATA)
    compared = {name for line in found for name in VALUES if line.theirs[name] != "-"}
    assert compared == set(VALUES)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/aiconfigurator-samples is not there")
def test_so_do_those_of_the_whole_set() -> None:
    assert [line.differing for line in check(SHARED)] == [line.differing for line in lines(DATA)]


def test_the_layouts_are_those_of_the_lines() -> None:
    by_sample = {(line.sample, line.role): line.theirs for line in lines(DATA)}
    wide = by_sample["v0.12.0-exp-moe-qwen3-235b/moe_vllm", "agg"]
    assert [wide[name] for name in ("tp", "dp", "ep")] == ["1", "8", "8"]
    grouped = by_sample["v0.12.0-exp-v1-sglang-qwen3-235b-moe/exp_agg_v1", "agg"]
    assert [grouped[name] for name in ("tp", "dp", "ep")] == ["4", "4", "1"]
    decode = by_sample["v0.12.0-default-vllm-qwen3-32b-fp8/disagg", "decode"]
    assert decode["token budget"] == "512"


def test_the_guide_has_the_table_of_differences() -> None:
    guide = (ROOT / "docs" / "guide" / "aiconfigurator.md").read_text(encoding="utf-8")
    rows = table(list(lines(DATA)))
    assert len(rows) > 2
    assert "\n".join(rows) in guide, "the table is:\n" + "\n".join(rows)
