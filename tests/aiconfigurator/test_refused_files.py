"""What is no file of aiconfigurator is refused with what it seems to be."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from aiconfigurator_samples import DATA

from autotuner.aiconfigurator.sniffing import Chosen, read_text
from autotuner.config.problems import DocumentError

CHOSEN = DATA / "v0.12.0-default-vllm-qwen3-32b-fp8" / "agg" / "top1"
HEADER = "model,isl,osl,concurrency,num_total_gpus,tp,backend\n"


def refusal(text: str, **chosen: str | int) -> str:
    with pytest.raises(DocumentError) as caught:
        read_text(text, name="x", chosen=Chosen(**chosen))  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("[1, 2]", "list"),
        ("just text", "str"),
        ("a: 1\nb: 2", "a, b"),
        ("{", "YAML"),
        ("base_runtime: x\nparameters: {}", "task document already"),
        ("model: {id_or_path: x}\nparameters: {a: 1}", "task document already"),
        ("version: '1.0'\npreset: {}", "preset"),
        ("exps: [a]\nb: {}", "exps names 'a'"),
        ("exps: [a]\na: {serving_mode: agg}", "exps names 'a'"),
        ("model_name: m\nworker_config: {tp: .inf}", "finite"),
        (HEADER, "no rows"),
        (HEADER + "m,1,1,1,1,1\n", "line 2 has 6 cells"),
        (HEADER + 'm,1,1,1,1,1,"x\n', "no table"),
        (HEADER.replace("isl", "osl", 1) + "m,1,1,1,1,1,x\n", "twice"),
        (HEADER + "m,1,1,1,1,nine,x\n", "whole number"),
    ],
)
def test_other_texts(text: str, said: str) -> None:
    assert said in refusal(text)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (CHOSEN / "run_0.sh", "launch script"),
        (CHOSEN / "k8s_deploy.yaml", "manifest of Kubernetes"),
        (
            DATA / "v0.12.0-default-trtllm-qwen3-32b-fp8" / "agg" / "top1" / "agg_config.yaml",
            "an engine's configuration",
        ),
    ],
    ids=["script", "manifest", "engine"],
)
def test_neighbours_name_the_file_to_give(file: object, said: str) -> None:
    text = refusal(file.read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    assert said in text
    assert "generator_config.yaml" in text


def test_another_experiment_or_row_names_those_that_there_are() -> None:
    file = (DATA / "inputs" / "exp_v2.yaml").read_text(encoding="utf-8")
    assert "agg_small, disagg_small" in refusal(file, experiment="agg_smal")
    assert "Did you mean agg_small?" in refusal(file, experiment="agg_smal")
    table = (CHOSEN.parent / "best_config_topn.csv").read_text(encoding="utf-8")
    assert "3 rows" in refusal(table, row=4)


BOMBS = (
    "model_name: m\nx0: &x0 [y, y, y]\n"
    + "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 9))
    + "worker_config: {tp: *x8}\n",
    "worker_config: " + "[" * 100_000,
    "worker_config: {tp: " + "{a: " * 20_000,
    "model_name: m\nworker_config: {tp: " + "9" * 500_000 + "}",
    "x" * (1 << 21),
    "serving_mode: agg\nmodel_path: m\n"
    + "".join(f"agg_{n}_candidates: {list(range(1, 65))}\n" for n in ("tp", "pp", "dp", "cp", "moe_tp", "moe_ep")),
    "serving_mode: agg\nmodel_path: m\nagg_tp_candidates: " + str(list(range(1, 100_000))),
    HEADER + "m,1,1,1,1,1,x\n" * 30_000,
    HEADER.rstrip("\n") + "".join(f",c{n}" for n in range(100_000)) + "\n",
    HEADER + '"' + "y" * 500_000 + '",1,1,1,1,1,x\n',
)
PROGRAM = f"""
import resource
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
resource.setrlimit(resource.RLIMIT_AS, ({1 << 30}, {1 << 30}))
from aiconfigurator_samples import imported
from autotuner.aiconfigurator.sniffing import read_text
from autotuner.contracts.errors import AutotunerError
from test_refused_files import BOMBS
refused = 0
for bomb in BOMBS:
    try:
        for content in read_text(bomb, name="x"):
            imported(content)
    except AutotunerError:
        refused += 1
print(refused, len(BOMBS))
"""


def test_files_that_would_fill_memory_are_refused_within_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, env=_env())
    assert done.stdout.split() == [str(len(BOMBS))] * 2, done.stderr


def _env() -> dict[str, str]:

    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
