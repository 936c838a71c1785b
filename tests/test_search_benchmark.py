"""The comparison of search strategies: what its tasks are, how runs are paired, counted and kept, and a small one."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
NOWHERE = Path("/nonexistent")
DENSE, MOE, GRID = "llama31_70b_h100/vllm/4000-500", "qwen3_30b_a3b_h100/trtllm/1024-1024", "llamacpp/quickstart"


@pytest.fixture
def searching(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The parts of the benchmark by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    class Parts:
        def __getattr__(self, name: str) -> ModuleType:
            return importlib.import_module(name if name == "search" else f"searching.{name}")

    return Parts()


def test_a_task_on_a_table_is_made_as_its_rules_say(searching: Any) -> None:
    task = searching.tasks.load_task(NOWHERE, DENSE)
    assert task.limits == {"ttft": 2.0, "tpot": 0.05}
    assert len(task.space) == 840
    assert [d.name for d in task.space.dimensions] == [
        "tp", "pp", "gemm_quant", "kv_quant", "max_num_batched_tokens", "max_num_seqs",
    ]  # fmt: skip
    # bfloat16 weights of 70 billion parameters leave no room on one GPU of 80 GB.
    assert task.default == {
        "tp": 1, "pp": 2, "gemm_quant": "bfloat16", "kv_quant": "bfloat16",
        "max_num_batched_tokens": 8192, "max_num_seqs": 256,
    }  # fmt: skip
    assert task.at({**task.default, "tp": 1, "pp": 1}).objective is None
    queueing = [p for p in task.points.values() if p.figures.get("ttft", 0) > 100]
    assert queueing, "rows whose cache holds fewer than bs sequences queue"
    other = searching.tasks.load_task(NOWHERE, MOE)
    kept = [p for p in other.points.values() if other.feasible(p)]
    assert len({d.name for d in other.space.dimensions} & {"dp", "moe_tp", "moe_ep"}) == 3
    assert other.best() == max(p.objective for p in kept if p.objective is not None)
    assert other.predicted_by == "qwen3_30b_a3b_h100 sglang"


def test_the_recorded_grid_keeps_the_limits_of_its_task(searching: Any) -> None:
    task = searching.tasks.load_task(NOWHERE, GRID)
    grid = importlib.import_module("autotuner.services.grid_files").load_grid(
        str(BENCHMARKS.parent / "examples" / "quickstart" / "grid.json")
    )
    assert {task.space.identity(p.parameters): p.eligible for p in grid.points} == {
        identity: task.feasible(point) for identity, point in task.points.items()
    }


def test_tasks_to_tune_on_are_one_model(searching: Any) -> None:
    tuned = [table.name for table in searching.surfaces.TABLES if table.tuning]
    assert tuned == ["qwen3_32b_h200"]


def test_runs_of_one_seed_have_the_same_noise_and_crashes(searching: Any) -> None:
    task = searching.tasks.load_task(NOWHERE, DENSE)
    point = task.at(task.default)
    told = [searching.conditions.noisy(point, 0.06, seed, task) for seed in (1, 1, 2)]
    assert told[0] == told[1] != told[2]
    assert abs(math.log(told[0].objective / point.objective)) < 0.3
    down = [searching.conditions.crashed(task, 0.25, seed) for seed in (1, 1, 2)]
    assert down[0] == down[1] != down[2]
    assert 0.2 < len(down[0]) / len(task.points) < 0.3
    assert task.space.identity(task.default) not in down[0]


def test_a_prior_says_what_the_other_table_does_or_the_opposite(searching: Any) -> None:
    task = searching.tasks.load_task(NOWHERE, MOE)
    conditions = searching.conditions
    given = conditions.prior_of(task, conditions.CONDITIONS["prior"])
    inverted = conditions.prior_of(task, conditions.CONDITIONS["inverted"])
    said, opposite = given.predict(task.default), inverted.predict(task.default)
    assert said.log_objectives[0] == -opposite.log_objectives[0]
    assert {k: -v for k, v in said.log_ratios.items()} == opposite.log_ratios
    assert conditions.prior_of(task, conditions.CONDITIONS["plain"]) is None


@pytest.mark.parametrize("condition", ["plain", "rough", "parallel"])
def test_no_experiment_is_made_twice_and_the_default_is_first(
    searching: Any, condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, task = searching.running, searching.tasks.load_task(NOWHERE, DENSE)
    seen: list[str] = []
    experiment = running.World.experiment

    def watched(world: Any, configuration: Any) -> Any:
        seen.append(task.space.identity(configuration))
        return experiment(world, configuration)

    with monkeypatch.context() as patched:
        patched.setattr(running.World, "experiment", watched)
        went = running.search("random", task, searching.conditions.CONDITIONS[condition], 3)
    assert seen[0] == task.space.identity(task.default)
    assert len(went.steps) == len(went.trials) <= 40
    assert len(went.ask_s) >= len(went.steps) - 1
    ended = [task.space.identity(trial.configuration) for trial in went.trials]
    assert len(set(ended)) == len(ended)
    assert all(seen.count(identity) == 2 for identity in ended)  # when it started, and when it ended
    assert running.search("random", task, searching.conditions.CONDITIONS[condition], 3).steps == went.steps


def run_of(searching: Any, shares: list[float], **changed: Any) -> Any:
    steps = tuple(
        searching.running.Step(share=share, gpus=2, started=share > 0, told=share or None) for share in shares
    )
    fields = {"strategy": "s", "task": "t", "condition": "plain", "seed": 1, "kind": "dense", "tuning": False}
    return searching.running.Run(**{**fields, "size": 20, "fingerprint": "f", "steps": steps, **changed})


def test_experiments_and_gpu_seconds_are_counted_until_one_is_near(searching: Any) -> None:
    run = run_of(searching, [0.5, 0.0, 0.96, 0.99])
    assert (run.needed(0.05), run.needed(0.02), run.needed(0.001)) == (3, 4, None)
    # Two GPUs: starts of 180 s with 60 s of measuring, and one that failed.
    assert run.gpu_seconds(0.05, 180) == 2 * (240 + 180 + 240)
    assert run.gpu_seconds(0.001, 180) is None
    tables = searching.tables
    (row,) = tables.rows([run, run_of(searching, [0.5] * 40), run_of(searching, [1.0])], lambda r: (r.strategy,))
    assert row.needed[0.05] == (3, math.inf)
    assert row.never[0.05] == pytest.approx(1 / 3)
    assert row.half_a_grid == pytest.approx(2 / 3)
    assert "> 40" in tables.text(tables.header(["strategy"]), [row])
    assert tables.markdown(tables.header(["strategy"]), [row]).count("\n") == 2


def test_a_baseline_that_never_gets_there_counts_with_what_it_spent(searching: Any) -> None:
    ours = [run_of(searching, [0.5, 0.97, 0.99], strategy="bayesian", seed=seed) for seed in (1, 2)]
    slow = run_of(searching, [0.5] * 40, strategy="tpe")
    by_sentence = {line.sentence: line for line in searching.targets.targets([*ours, slow])}
    assert by_sentence["experiments to within 5 %, median"].found == 2
    assert by_sentence["experiments to within 5 %, median"].met
    gpu_hours = by_sentence["GPU-hours, starts of 60 s"]
    assert (gpu_hours.asked, gpu_hours.found) == (pytest.approx(40 * 2 * 120 / 3 / 3600), 2 * 2 * 120 / 3600)
    assert searching.targets.targets([run_of(searching, [1.0], strategy="bayesian", tuning=True)]) == []


def test_other_loads_are_told_and_paid_for(searching: Any) -> None:
    running, task = searching.running, searching.tasks.load_task(NOWHERE, DENSE)
    world = running.make_world(task, searching.conditions.CONDITIONS["loads"], 1)
    done = world.experiment(task.default)
    assert [o.load for o in done.outcome.observations] == [1.0, 0.5, 0.25]
    full, half, _ = done.outcome.observations
    assert half.ratios["ttft"] < full.ratios["ttft"]
    assert (done.step.loads, done.spent.measure_s) == (3, 180)


def test_rules_of_engines_know_the_parameters_of_a_task(searching: Any) -> None:
    task, conditions = searching.tasks.load_task(NOWHERE, DENSE), searching.conditions
    rules = conditions.prior_of(task, conditions.CONDITIONS["knowledge"])
    few, many = (rules.predict({**task.default, "max_num_seqs": seqs}) for seqs in (8, 64))
    assert few.log_objectives[0] < many.log_objectives[0]
    assert set(few.log_ratios) == {"ttft", "tpot"}


def test_an_earlier_task_expects_what_it_measured(searching: Any) -> None:
    running, earlier = searching.running, searching.earlier
    task, before = (searching.tasks.load_task(NOWHERE, name) for name in (MOE, MOE.replace("1024-1024", "4000-500")))
    assert task.neighbour == before.name
    went = running.search("random", before, searching.conditions.CONDITIONS["plain"], 1, budget=15)
    prior = earlier.earlier(task, before, went.trials)
    trial = next(t for t in went.trials if t.outcome.objectives)
    said = prior.predict(trial.configuration)
    assert said.log_objectives[0] == pytest.approx(math.log(trial.outcome.objectives[0]), abs=0.05)
    figure = before.at(trial.configuration).figures["tpot"]
    # Far from the limit logarithms are flattened.
    assert said.log_ratios["tpot"] == pytest.approx(math.log(figure / task.limits["tpot"]), abs=0.15)


def test_runs_are_kept_and_a_line_that_was_cut_off_is_not_missed(searching: Any, tmp_path: Path) -> None:
    records = searching.records.Records(tmp_path / "out" / "runs.jsonl")
    assert records.read() == {}
    records.append(run_of(searching, [0.5], seed=1))
    with (tmp_path / "out" / "runs.jsonl").open("a") as file:
        file.write('{"strategy": "s", "task"')
    records.append(run_of(searching, [0.6], seed=2))
    records.append(run_of(searching, [0.7], seed=2))
    assert {key[-1]: run.steps[0].share for key, run in records.read().items()} == {1: 0.5, 2: 0.7}


def test_a_run_is_made_again_when_the_code_of_its_strategy_changes(searching: Any) -> None:
    needed = {name: set(searching.records._needed(f"autotuner.search.{name}")) for name in ("grid", "optuna_adapter")}
    assert "autotuner.search.history" in needed["grid"] & needed["optuna_adapter"]
    assert "autotuner.search.optuna_samplers" in needed["optuna_adapter"] - needed["grid"]


def test_a_comparison_goes_on_where_it_was(
    searching: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    search = searching.search
    out, plot, table = tmp_path / "runs.jsonl", tmp_path / "plot.svg", tmp_path / "table.md"
    command = ["search.py", "--tasks", GRID, "--strategies", "random", "qmc", "--surfaces", str(NOWHERE)]
    command += ["--out", str(out), "--plot", str(plot), "--markdown", str(table), "--by-task"]
    made: list[Any] = []

    def here(given: Any, jobs: Any, records: Any) -> None:
        for job in jobs:
            made.append(job)
            records.append(search.run_job(given.surfaces, job))

    monkeypatch.setattr(search, "run_all", here)
    for seeds, fresh in (("2", 4), ("3", 2)):
        made.clear()
        monkeypatch.setattr("sys.argv", [*command, "--seeds", seeds])
        assert search.main() == 0
        assert len(made) == fresh
    assert "llama.cpp" in capsys.readouterr().out
    assert plot.read_text().startswith("<svg ")
    assert plot.read_text().count("<polyline ") == 2
    assert table.read_text().startswith("| condition | tasks | strategy |")
    monkeypatch.setattr("sys.argv", ["search.py", "--tasks", "nothing", "--surfaces", str(NOWHERE)])
    assert search.main() == 2
