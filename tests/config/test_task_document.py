"""Loading, checking and writing whole documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autotuner.config.keys import blocks
from autotuner.config.load import (
    MAX_PROBLEMS,
    apply_sets,
    dump,
    dump_json,
    parse,
    read_mapping,
    to_data,
    validate,
)
from autotuner.config.problems import DocumentError, Problem
from autotuner.config.text import unreadable
from autotuner.contracts.errors import AutotunerError, ErrorCode

FULL = """
task_name: everything
deployment_mode: local
base_runtime: some-engine
labels: [gpu]
model: {id_or_path: [a.gguf, b.gguf], served_name: m, revision: main}
runtime:
  python: .venv
  launcher_prefix: [numactl, --membind=0]
  env: {OMP_NUM_THREADS: [1, 2], A: x, B: null}
  server_cores: [0, 1]
  client_cores: [2]
simulation: {surface: s, isl: 4000, osl: 500, noise: 0.02}
parameters:
  tp-size: [1, 2]
  n_batch: {type: int, low: 64, high: 4096, log: true}
  fraction: {type: float, low: 0.5, high: 0.9, step: 0.1}
  mode: {type: choice, values: ["8", 8, true]}
  fixed: 3
system_config: {gpu_type: h200_sxm, total_gpus: 8, memory_per_gpu: 141}
optimization:
  objective: [minimize_ttft, maximize_throughput]
  budget: {wall_clock_s: 3600}
  references: [{label: expert, parameters: {n_batch: 512}}]
  score_at: D(1,2)@1
benchmark:
  benchmark_engine: builtin
  traffic_scenarios: [D(1,2), "0.5*D(3,4)+0.5*N(5,1)/(6,1)"]
  additional_params: {temperature: 0.0, stop: [x, null]}
slo:
  ttft: {threshold: 1}
  tpot: {mean: {threshold: 0.05}, p90: {threshold: 0.08, hard_fail: true}}
  latency: {p90: {threshold: 5.0, weight: 3.0, hard_fail: true, fail_ratio: 0.2}}
metadata: {any: [1, {b: null}]}
"""
MINIMAL: dict[str, Any] = {"model": {"id_or_path": "m"}}


def problems(data: object) -> dict[str, Problem]:
    """The problems of a document by place."""
    with pytest.raises(DocumentError) as caught:
        validate(data)
    return {p.place: p for p in caught.value.problems}


def test_the_least_document_has_the_defaults_of_the_specification() -> None:
    document = parse("model: {id_or_path: m}")
    assert document.deployment_mode == "local"
    assert document.base_runtime is None
    assert document.optimization.strategy == "bayesian"
    assert document.optimization.objectives == ("minimize_latency",)
    assert (document.optimization.max_iterations, document.optimization.seed) == (20, 0)
    assert (document.optimization.confirm.top_k, document.optimization.confirm.starts) == (2, 5)
    assert document.benchmark.traffic_scenarios == ("D(100,100)",)
    assert document.benchmark.num_concurrency == (1, 4)
    assert document.deployment.gpu_wait_timeout == 300
    rate = document.slo.error_rate
    assert (rate.threshold, rate.hard_fail, rate.fail_ratio) == (0.01, True, 0)
    assert document.slo.steepness == 0.1


@pytest.mark.parametrize(
    "text", [FULL, "model: {id_or_path: m}", "{model: {id_or_path: m}, benchmark: {request_rates: 2}}"]
)
def test_dump_and_parse_are_inverse(text: str) -> None:
    document = parse(text)
    for written in (dump(document), dump_json(document)):
        assert parse(written) == document
    assert validate(json.loads(json.dumps(to_data(document)))) == document


def test_both_forms_of_an_slo_and_nulls() -> None:
    document = parse(FULL)
    assert document.slo.ttft is not None
    assert list(document.slo.ttft.given()) == ["mean"]
    assert document.slo.ttft.given()["mean"].threshold == 1.0
    nulls = validate({**MINIMAL, "benchmark": None, "slo": {"ttft": None}, "optimization": {"seed": None}})
    assert nulls == validate(MINIMAL)


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(DocumentError) as caught:
        parse(
            "optimizaton: {}\nmodel: {id_or_path: m}\nparameters: {a: [], b: 1}\n"
            "optimization: {seed: '8', patience: 0}",
            name="task.yaml",
        )
    error = caught.value
    assert error.code is ErrorCode.INVALID_DOCUMENT
    assert error.what == "task.yaml has 4 problems"
    places = {p.place for p in error.problems}
    assert places == {"optimizaton", "parameters.a", "optimization.seed", "optimization.patience"}
    assert all(place in error.why for place in places)


@pytest.mark.parametrize(
    ("data", "place", "hint"),
    [
        ({"optimization": {"max_iteration": 3}}, "optimization.max_iteration", "optimization.max_iterations"),
        ({"benchmark": {"Num-Concurrency": [1]}}, "benchmark.Num-Concurrency", "benchmark.num_concurrency"),
        ({"num_concurrency": [1]}, "num_concurrency", "benchmark.num_concurrency"),
        ({"slo": {"ttft": {"treshold": 1}}}, "slo.ttft.treshold", "slo.ttft.threshold"),
        ({"slo": {"ttft": {"p91": {"threshold": 1}}}}, "slo.ttft.p91", "slo.ttft.p9"),
        (
            {"optimization": {"references": [{"label": "a", "parameter": {}}]}},
            "optimization.references.0.parameter",
            "optimization.references.0.parameters",
        ),
        ({"zzzzzz": 1}, "zzzzzz", "task_name"),
    ],
)
def test_unknown_keys_get_the_nearest_known_one(data: dict[str, Any], place: str, hint: str) -> None:
    problem = problems({**MINIMAL, **data})[place]
    assert problem.code is ErrorCode.UNKNOWN_KEY
    assert hint in problem.remedy


def test_every_key_of_a_later_version_says_so() -> None:
    for path, block in blocks():
        for key in block.later:
            data: dict[str, Any] = {key: 1}
            for outer in reversed(path):
                data = {outer: data}
            problem = problems(data)[".".join((*path, key))]
            assert problem.code is ErrorCode.UNKNOWN_KEY
            assert "is not available in this version" in problem.why


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"model": {"id_or_path": 3}}, "model.id_or_path"),
        ({"model": {"id_or_path": []}}, "model.id_or_path"),
        ({"optimization": {"objective": "fastest"}}, "optimization.objective"),
        ({"optimization": {"objective": ["minimize_ttft", "fast"]}}, "optimization.objective.1"),
        ({"optimization": {"objective": ["minimize_ttft", "minimize_ttft"]}}, "optimization.objective"),
        ({"optimization": {"baseline": 1}}, "optimization.baseline"),
        ({"optimization": {"max_iterations": 2.0}}, "optimization.max_iterations"),
        ({"optimization": {"confirm": {"starts": 1}}}, "optimization.confirm.starts"),
        ({"optimization": {"references": [{"parameters": {}}]}}, "optimization.references.0.label"),
        ({"optimization": {"references": [{"label": "a", "parameters": {"b": [1]}}]}},
         "optimization.references.0.parameters.b"),
        ({"benchmark": {"num_concurrency": [0]}}, "benchmark.num_concurrency.0"),
        ({"benchmark": {"num_concurrency": [True]}}, "benchmark.num_concurrency.0"),
        ({"benchmark": {"traffic_scenarios": ["D(1)"]}}, "benchmark.traffic_scenarios"),
        ({"benchmark": {"traffic_scenarios": []}}, "benchmark.traffic_scenarios"),
        ({"benchmark": {"engine": "a", "benchmark_engine": "b"}}, "benchmark"),
        ({"runtime": {"env": {"A-B": 1}}}, "runtime.env"),
        ({"deployment": {"endpoint_url": "localhost:80"}}, "deployment.endpoint_url"),
        ({"deployment": {"endpoint_url": "http://me:secret@h"}}, "deployment.endpoint_url"),
        ({"slo": {"ttft": {"threshold": 0}}}, "slo.ttft.threshold"),
        ({"slo": {"ttft": {}}, "parameters": {"": 1}}, "parameters"),
        ({"slo": {"ttft": {"mean": {"threshold": 1}, "weight": 2}}}, "slo.ttft"),
        ({"slo": {"ttft": {"p90": {}}}}, "slo.ttft.p90.threshold"),
        ({"parameters": [1]}, "parameters"),
        ({"parameters": {"a": float("nan")}}, "parameters.a"),
    ],
)  # fmt: skip
def test_invalid_values_name_their_place(data: dict[str, Any], place: str) -> None:
    problem = problems({**MINIMAL, **data})[place]
    assert problem.code is ErrorCode.INVALID_VALUE


def test_a_flood_of_problems_is_cut() -> None:
    with pytest.raises(DocumentError) as caught:
        validate({f"unknown_key_{n}": 1 for n in range(30_000)})
    assert len(caught.value.problems) == MAX_PROBLEMS
    assert len(str(caught.value)) < 50_000


def test_several_at_once_is_refused_with_a_sentence() -> None:
    problem = problems({**MINIMAL, "optimization": {"max_parallel_experiments": 2}})[
        "optimization.max_parallel_experiments"
    ]
    assert problem.code is ErrorCode.UNSUPPORTED
    assert "not available in this version" in problem.why


URL = "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"deployment_mode": "endpoint"}, "deployment.endpoint_url"),
        ({"deployment": {"endpoint_url": URL}}, "deployment.endpoint_url"),
        ({"deployment_mode": "endpoint", "deployment": {"endpoint_url": URL}, "parameters": {"a": 1}}, "parameters"),
        ({"deployment_mode": "endpoint", "deployment": {"endpoint_url": URL}, "runtime": {"env": {"A": [1]}}},
         "runtime.env"),
        ({"parameters": {"tp-size": 1, "tp_size": 2}}, "parameters.tp_size"),
        ({"parameters": {"--tp-size": 1, "tp_size": 1}}, "parameters.tp_size"),
        ({"optimization": {"references": [{"label": "a"}, {"label": "a"}]}}, "optimization.references.1.label"),
        ({"optimization": {"references": [{"label": "a", "parameters": {"x-y": 1, "x_y": 1}}]}},
         "optimization.references.0.parameters.x_y"),
        ({"optimization": {"objective": "balanced", "baseline": False}}, "optimization.baseline"),
        ({"optimization": {"objective": "balanced", "balance": {"latency": 0, "throughput": 0}}},
         "optimization.balance"),
        ({"optimization": {"objective": "minimize_cost"}}, "optimization.price_per_gpu_hour"),
        ({"optimization": {"phase_budgets": {"measure": 39}}}, "optimization.phase_budgets.measure"),
        ({"benchmark": {"num_concurrency": [1], "request_rates": [1]}}, "benchmark.request_rates"),
        ({"benchmark": {"num_concurrency": []}}, "benchmark.num_concurrency"),
        ({"benchmark": {"request_rates": [1.0, 1.0000001]}}, "benchmark.request_rates"),
        ({"benchmark": {"arrival": "poisson"}}, "benchmark.arrival"),
        ({"benchmark": {"arrival": "closed", "request_rates": [1]}}, "benchmark.arrival"),
        ({"benchmark": {"min_requests": 9, "max_requests_per_iteration": 8}}, "benchmark.min_requests"),
        ({"benchmark": {"max_window": 10}}, "benchmark.max_window"),
        ({"runtime": {"python": "p", "command": ["c"]}}, "runtime.command"),
        ({"runtime": {"server_cores": [0, 1], "client_cores": [1]}}, "runtime.client_cores"),
        ({"slo": {"ttft": {"p90": {"threshold": 2}, "p99": {"threshold": 1}}}}, "slo.ttft.p90.threshold"),
        ({"quality": {"enabled": False, "limit": 0.9}}, "quality.limit"),
        ({"quality": {"enabled": False, "prompts": "p.jsonl"}}, "quality.prompts"),
        ({"quality": {"enabled": True}, "optimization": {"baseline": False}}, "quality.enabled"),
        ({"quality": {"limit": 0.9}, "optimization": {"baseline": False}}, "quality.limit"),
        ({"quality": {"limit": 0.9}, "deployment_mode": "endpoint", "deployment": {"endpoint_url": URL}},
         "quality.limit"),
    ],
)  # fmt: skip
def test_contradictions(data: dict[str, Any], place: str) -> None:
    problem = problems({**MINIMAL, **data})[place]
    assert problem.code is ErrorCode.CONTRADICTION


def test_a_model_is_needed_unless_nothing_is_served_here() -> None:
    assert list(problems({})) == ["model.id_or_path"]
    validate({"deployment_mode": "endpoint", "deployment": {"endpoint_url": URL + "/"}})
    validate({"simulation": {}})
    validate({**MINIMAL, "optimization": {"baseline": False}})


def test_sets_change_a_copy() -> None:
    data = read_mapping(FULL)
    before = repr(data)
    changed = apply_sets(
        data,
        ["optimization.seed=7", "parameters.new-one=[1, 2]", "model.id_or_path.1=c.gguf", "slo.ttft.threshold=2",
         "deployment.gpu_wait_timeout=5", "description=a=b", "labels=", "optimization.references.0.label=other"],
    )  # fmt: skip
    assert repr(data) == before
    document = validate(changed)
    assert document.optimization.seed == 7
    assert document.model.files == ("a.gguf", "c.gguf")
    assert "new-one" in document.parameters
    assert document.description == "a=b"
    assert document.labels == ()
    assert document.deployment.gpu_wait_timeout == 5
    assert document.optimization.references[0].label == "other"
    assert parse(FULL, sets=["optimization.seed=7"]).optimization.seed == 7


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ("optimization.sed=1", ErrorCode.UNKNOWN_KEY, "optimization.sed"),
        ("optimizaton.seed=1", ErrorCode.UNKNOWN_KEY, "optimizaton"),
        ("quality.limits=1", ErrorCode.UNKNOWN_KEY, "quality.limits"),
        ("optimization.references.0.lable=1", ErrorCode.UNKNOWN_KEY, "optimization.references.0.lable"),
        ("optimization.seed", ErrorCode.INVALID_VALUE, "--set"),
        ("=1", ErrorCode.INVALID_VALUE, "--set"),
        ("a..b=1", ErrorCode.INVALID_VALUE, "--set"),
        ("task_name.x=1", ErrorCode.INVALID_VALUE, "task_name.x"),
        ("model.id_or_path.2=x", ErrorCode.INVALID_VALUE, "model.id_or_path.2"),
        ("model.id_or_path.last=x", ErrorCode.INVALID_VALUE, "model.id_or_path.last"),
    ],
)
def test_sets_that_lead_nowhere(change: str, code: ErrorCode, place: str) -> None:
    with pytest.raises(DocumentError) as caught:
        apply_sets(read_mapping(FULL), [change])
    assert (caught.value.code, caught.value.place) == (code, place)


KEYS = st.sampled_from([key for _, block in blocks() for key in block.model_fields]) | st.text(max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["D(1,2)", "balanced"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def any_document() -> st.SearchStrategy[dict[str, Any]]:
    """Documents of the right shape with any values."""
    inner = {path[0]: block for path, block in blocks() if len(path) == 1 and path[0] != "simulation"}
    shaped = {
        name: st.fixed_dictionaries({}, optional=dict.fromkeys(block.model_fields, VALUES)) | VALUES
        for name, block in inner.items()
    }
    return st.fixed_dictionaries({"simulation": st.just({})}, optional=shaped | {"parameters": VALUES})


@settings(deadline=None)
@given(any_document() | VALUES)
def test_any_object_gives_a_document_or_an_autotuner_error(data: object) -> None:
    try:
        document = validate(data)
    except AutotunerError as error:
        assert str(error)
        assert error.why
    else:
        assert parse(dump(document)) == document
        assert parse(dump_json(document)) == document


PARAMETERS = st.one_of(
    st.none(),
    st.integers(-(2**40), 2**40),
    st.text(max_size=4),
    st.lists(st.integers(-99, 99) | st.floats(-1e9, 1e9) | st.booleans() | st.text(max_size=4), min_size=1),
    st.builds(lambda low, width: {"type": "float", "low": low, "high": low + width}, st.floats(0, 9), st.floats(0, 9)),
)
GOOD = st.fixed_dictionaries(
    {"model": st.fixed_dictionaries({"id_or_path": st.text(min_size=1) | st.lists(st.text(min_size=1), min_size=1)})},
    optional={
        "task_name": st.text(min_size=1, max_size=255),
        "description": st.text(),
        "labels": st.lists(st.text(min_size=1)),
        "parameters": st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), PARAMETERS),
        "benchmark": st.fixed_dictionaries(
            {}, optional={"request_rates": st.lists(st.integers(1, 20)), "repeats": st.integers(1, 2)}
        ),
        "slo": st.fixed_dictionaries({}, optional={"tpot": st.builds(lambda t: {"threshold": t}, st.floats(1e-9, 9))}),
        "metadata": st.dictionaries(st.text(), st.recursive(st.none() | st.text(), st.lists)),
    },
)


@settings(deadline=None)
@given(GOOD)
def test_documents_survive_being_written(data: dict[str, Any]) -> None:
    assume(not unreadable(data))
    document = validate(data)
    assert parse(dump(document)) == document
    assert parse(dump_json(document)) == document


@settings(deadline=None)
@given(st.lists(st.text() | st.builds("{}.{}={}".format, KEYS, KEYS, st.text(max_size=6)), max_size=3))
def test_any_set_gives_data_or_an_autotuner_error(changes: list[str]) -> None:
    try:
        parse(FULL, sets=changes)
    except AutotunerError as error:
        assert str(error)


def numeric(schema: Any) -> Iterator[str]:
    """The types that a field's schema allows."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema["type"]
        for branch in schema.get("anyOf", []):
            yield from numeric(branch)


def test_every_field_is_described_and_every_number_has_a_unit() -> None:
    units = (
        "seconds",
        "GB",
        "tokens",
        "nats",
        "number",
        "share",
        "0 to 1",
        "requests",
        "configurations",
        "factor",
        "price",
    )
    for path, block in blocks():
        assert block.__doc__, path
        properties = block.model_json_schema()["properties"]
        for name, field in block.model_fields.items():
            assert field.description, (path, name)
            if {"integer", "number"} & set(numeric(properties[name])):
                assert any(unit in field.description for unit in units), (path, name, field.description)
