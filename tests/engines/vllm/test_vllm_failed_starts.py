"""What failed starts of real vLLM 0.32 on a CPU wrote (tests/data/failed_starts/vllm) is diagnosed rightly."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotuner.contracts.attempt import FailureClass
from autotuner.deploy.local.diagnosis import Exit, diagnose
from autotuner.engines.vllm.logs import LOG_PATTERNS

FOLDER = Path(__file__).parents[2] / "data" / "failed_starts" / "vllm"

EXPECTED = {
    "block-size-16": (
        FailureClass.BAD_ARGUMENT,
        "the attention back end does not take this block size (",
        "No common block size for 16 (CPU_ATTN: [MultipleOf(32)])",
        True,
    ),
    "tensor-parallel-2": (
        FailureClass.BAD_ARGUMENT,
        "on a CPU each worker takes a NUMA node, and there are not as many (",
        "Allowed NUMA nodes are [0]",
        True,
    ),
    "pipeline-parallel-2": (FailureClass.CRASH, "the engine's core died (", "EngineCore encountered a", False),
}


def test_every_recorded_start_is_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.log")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recorded_failure_is_diagnosed(name: str) -> None:
    kind, sentence, quoted, certain = EXPECTED[name]
    log = (FOLDER / f"{name}.log").read_text(encoding="utf-8")
    found = diagnose(Exit(code=1), LOG_PATTERNS, log, log[-500:])
    assert (found.kind, found.certain) == (kind, certain), found.diagnosis
    assert found.diagnosis.startswith(sentence)
    assert quoted in found.diagnosis
    assert found.hint


def test_the_line_that_says_why_is_quoted() -> None:
    """Before it stands the statement that raises, which says nothing."""
    prefix = "(Worker pid=1) ERROR 11-27 04:58:29 [multiproc_executor.py:1063]"
    said = "NotImplementedError: FP8 KV cache on CPU requires x86 with AVX-512 or AMX."
    log = f"{prefix}     raise NotImplementedError(\n{prefix} {said}\nRuntimeError: see root cause above\n"
    found = diagnose(Exit(code=1), LOG_PATTERNS, log, "")
    assert found.kind is FailureClass.UNSUPPORTED
    assert "requires x86 with AVX-512" in found.diagnosis
