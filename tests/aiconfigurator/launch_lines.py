"""Launch lines value by value: the one that aiconfigurator wrote, and ours for the imported task."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from aiconfigurator_samples import contents, document, imported, plan

from autotuner.aiconfigurator.task import Imported

VALUES = ("tp", "pp", "dp", "ep", "KV type", "batch", "token budget", "context")

FLAGS: Mapping[str, tuple[str, ...]] = {
    "tp": ("--tensor-parallel-size", "--tp-size", "--tp_size", "tensor_parallel_size"),
    "pp": ("--pipeline-parallel-size", "--pp-size", "--pp_size", "pipeline_parallel_size"),
    "dp": ("--data-parallel-size", "--dp-size", "--attn-dp-size"),
    "ep": ("--expert-parallel-size", "--ep-size", "--ep_size", "moe_expert_parallel_size"),
    "KV type": ("--kv-cache-dtype", "--kv_cache_dtype", "kv_cache_config.dtype"),
    "batch": ("--max-num-seqs", "--max-running-requests", "--max_batch_size", "max_batch_size"),
    "token budget": ("--max-num-batched-tokens", "--max-prefill-tokens", "--max_num_tokens", "max_num_tokens"),
    "context": ("--max-model-len", "--context-length", "--max_seq_len", "max_seq_len"),
}
SWITCHES = {"--enable-expert-parallel": "ep"}
"""A switch that stands for a size: tp × dp."""
DEFAULTS = {"tp": "1", "pp": "1", "dp": "1", "ep": "1", "KV type": "auto"}
ABSENT = "-"

BATCH = "512 requests, or twice the predicted batch if that is more, are written, and not the predicted batch"
RULES: Mapping[tuple[str, str], str] = {("vllm", "batch"): BATCH, ("sglang", "batch"): BATCH}
"""Engine and value → the rule of aiconfigurator's generator that makes the lines differ."""


@dataclass(frozen=True)
class Line:
    """One server of a sample."""

    sample: str
    engine: str
    role: str
    theirs: Mapping[str, str]
    ours: Mapping[str, str]

    @property
    def differing(self) -> tuple[str, ...]:
        return tuple(name for name in VALUES if self.theirs[name] != self.ours[name])


def lines(folder: Path) -> Iterator[Line]:
    """Every configuration of a folder of samples that has a launch line."""
    for script in sorted(folder.rglob("run_0.sh")):
        chosen = script.parent / "generator_config.yaml"
        sample = str(chosen.parent.relative_to(folder)).removesuffix("/top1")
        written = list(_written(script))
        (content,) = contents(chosen)
        made = imported(content)
        assert len(written) == len(made)
        for theirs, task in zip(written, made, strict=True):
            yield Line(sample, str(document(task).base_runtime), task.role, theirs, ours(task))


def ours(task: Imported) -> dict[str, str]:
    """Of the only configuration of the imported task's plan."""
    found = plan(document(task))
    (configuration,) = found.space.enumerate()
    return _values(list(found.resolver.command(configuration).argv))


def _written(script: Path) -> Iterator[dict[str, str]]:
    """Of each server that the script starts; of an engine with a configuration file, that file's."""
    text = script.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if "python3 -m dynamo." not in line or "dynamo.frontend" in line:
            continue
        words = shlex.split(line.partition(" 2>&1")[0].split("python3 -m", 1)[1])
        if "--extra-engine-args" in words:
            words = _file_words(yaml.safe_load((script.parent / "agg_config.yaml").read_text(encoding="utf-8")))
        yield _values(words)


def _file_words(data: Mapping[str, object], prefix: str = "") -> list[str]:
    words: list[str] = []
    for key, value in data.items():
        inner = isinstance(value, Mapping)
        words += _file_words(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [f"{prefix}{key}", str(value)]
        assert inner or words
    return words


def _values(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, flags in FLAGS.items():
        given = [words[index + 1] for index, word in enumerate(words[:-1]) if word in flags]
        assert len(given) < 2, (name, given)
        found[name] = given[0] if given else DEFAULTS.get(name, ABSENT)
    for switch, name in SWITCHES.items():
        if switch in words:
            found[name] = str(int(found["tp"]) * int(found["dp"]))
    return found


def table(found: list[Line]) -> list[str]:
    """The table of differences in docs/guide/aiconfigurator.md."""
    rows = [
        "| configuration | engine | value | aiconfigurator writes | the task writes | why |",
        "|---|---|---|---|---|---|",
    ]
    for line in found:
        label = re.sub(r"^v0\.12\.0-", "", line.sample) + ("" if line.role == "agg" else f", {line.role}")
        rows += [
            f"| {label} | {line.engine} | {name} | {line.theirs[name]} | {line.ours[name]} "
            f"| {RULES[line.engine, name]} |"
            for name in line.differing
        ]
    return rows
