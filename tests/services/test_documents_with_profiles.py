"""Documents that name profiles: what is merged, what is recorded, and what is refused or left out with a warning."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from autotuner.config.document import TaskDocument
from autotuner.config.identity import identity
from autotuner.config.layers import Layer
from autotuner.config.load import to_data, validate
from autotuner.config.problems import DocumentError
from autotuner.config.text import write
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.planning.gpu_cap import SKIPPED
from autotuner.presets.layering import NO_PRESETS, Chosen
from autotuner.profiles.profile import Profiles
from autotuner.services import profiles as services
from autotuner.services.documents import read_data, read_document
from autotuner.services.layering import Assembled, Parts, assemble_document
from autotuner.services.planning import plan_document
from autotuner.services.profiles import open_profiles, show_profile
from autotuner.services.settings import Settings, load_settings
from presets.builders import stored

BALANCED = "profile:balanced:balanced-params"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", database=str(tmp_path / "data" / "autotuner.db"))


def assembled(settings: Settings, *profiles: str, presets: Chosen = NO_PRESETS, **document: Any) -> Assembled:
    parts = Parts({"base_runtime": "sglang", "model": {"id_or_path": "m"}, **document}, profiles, presets)
    return assemble_document(parts, open_profiles(settings), settings, name="task.yaml")


def read(settings: Settings, tmp_path: Path, **data: Any) -> TaskDocument:
    file = tmp_path / "task.yaml"
    file.write_text(write({"model": {"id_or_path": "tiny"}, **data}))
    return read_document(str(file), settings=settings)


def test_what_the_document_says_is_stronger(settings: Settings) -> None:
    made = assembled(settings, "balanced", parameters={"tp_size": [8]}, optimization={"max_iterations": 3})
    assert made.data["parameters"] == {"mem-fraction-static": [0.8, 0.85, 0.9], "tp_size": [8]}
    assert made.data["optimization"] == {"max_iterations": 3, "timeout_per_iteration": 600}
    assert made.provenance["parameters.tp_size"] == "document"
    assert made.provenance["parameters.mem-fraction-static"] == BALANCED
    assert made.provenance["optimization.max_iterations"] == "document"
    assert made.provenance["benchmark.num_concurrency"] == BALANCED
    assert made.applied_layers == (BALANCED, "document")


def test_presets_stand_between_profiles_and_the_document(settings: Settings) -> None:
    mine = stored("Mine", runtime="sglang", parameters={"tp-size": (2,), "mem-fraction-static": (0.6,)})
    made = assembled(settings, "balanced", presets=Chosen((mine,)), parameters={"tp-size": [1]})
    assert made.data["parameters"] == {"mem-fraction-static": [0.6], "tp-size": [1]}
    assert made.provenance["parameters.mem-fraction-static"] == "preset:mine"
    assert made.applied_layers == (BALANCED, "preset:mine", "document")


def test_the_document_keeps_the_origin_of_its_values(settings: Settings, tmp_path: Path) -> None:
    document = read(settings, tmp_path, profiles=["low-latency", "production"], optimization={"max_iterations": 4})
    assert document.profiles is None
    assert document.assembled is not None
    assert [layer.name for layer in document.assembled.layers] == [
        "profile:low-latency:low-latency-params",
        "profile:production:production-params",
    ]
    origins = document.assembled.origins
    assert "optimization.max_iterations" not in origins  # the document's own
    assert origins["optimization.objective"] == "profile:low-latency:low-latency-params"
    assert origins["slo.latency.p90.hard_fail"] == "profile:production:production-params"
    assert document.slo.latency is not None
    assert document.slo.latency.p90 is not None
    assert document.slo.latency.p90.fail_ratio == 0.2
    assert validate(to_data(document)) == document


def test_the_plan_says_which_layer_gave_each_parameter(settings: Settings, tmp_path: Path) -> None:
    document = read(settings, tmp_path, profiles=["cost-optimization"], parameters={"n_ubatch": [128]})
    plan = plan_document(document, settings)
    layers = {name: found.layer for name, found in plan.provenance.items()}
    assert layers["n_parallel"] == "profile:cost-optimization:cost-optimization-params"
    assert layers["n_ubatch"] == "document"
    assert layers["n_batch"] == "engine default"
    assert any("llamacpp has no tp-size and no mem-fraction-static" in warning for warning in plan.warnings)


def test_a_document_with_profiles_left_in_it_is_not_planned(settings: Settings) -> None:
    document = validate({"model": {"id_or_path": "tiny"}, "profiles": ["balanced"]})
    with pytest.raises(ValueError, match="assembled"):
        plan_document(document, settings)


def test_an_unknown_profile_is_left_out_with_a_warning(settings: Settings) -> None:
    made = assembled(settings, "low-latncy", "balanced")
    assert "there is no profile 'low-latncy', so it is left out. Did you mean 'low-latency'?" in made.warnings
    assert made.applied_layers == (BALANCED, "document")


def test_production_alone_is_refused_with_the_advice_to_combine_it(settings: Settings) -> None:
    with pytest.raises(AutotunerError) as caught:
        assembled(settings, "production")
    assert caught.value.code is ErrorCode.EMPTY_SPACE
    assert caught.value.what == "the profile production says nothing of what is searched"
    assert "Combine it with another one, such as profiles: [balanced, production]" in caught.value.remedy


@pytest.mark.parametrize(
    "document",
    [{"parameters": {"tp-size": [1, 2]}}, {"parallel_config": {"tp": [1, 2]}}, {"runtime": {"env": {"A": [1]}}}],
)
def test_production_goes_with_a_documents_own_parameters(settings: Settings, document: dict[str, Any]) -> None:
    assert assembled(settings, "production", **document).data["optimization"]["max_iterations"] == 30


def test_production_measures_a_running_server(settings: Settings) -> None:
    made = assembled(
        settings,
        "production",
        deployment_mode="endpoint",
        deployment={"endpoint_url": "http://127.0.0.1:1"},
    )
    assert made.document.slo.ttft is not None


def test_gpus_cap_the_sizes(settings: Settings) -> None:
    made = assembled(settings, "high-throughput", system_config={"total_gpus": 2})
    assert made.data["parameters"]["tp-size"] == [2]
    assert made.provenance["parameters.tp-size"] == "gpu_cap"
    assert made.applied_layers[-1] == "gpu_cap"
    assert "parameters.tp-size is [2] in place of [4,8], for 2 GPUs" in made.warnings


def test_without_a_number_of_gpus_it_is_said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from autotuner.planning.planner import HostFacts

    monkeypatch.setattr("autotuner.services.layering.host_facts", lambda *, gpus=False: HostFacts(cores=(0,)))
    assert SKIPPED in assembled(settings, "balanced").warnings


def test_errors_of_the_document_come_first(settings: Settings) -> None:
    with pytest.raises(DocumentError) as caught:
        assembled(settings, "production", optimisation={})
    assert caught.value.place == "optimisation"
    assert "task.yaml" in caught.value.what


def test_two_values_in_one_layer_are_refused(settings: Settings) -> None:
    with pytest.raises(AutotunerError) as caught:
        assembled(settings, "balanced", parameters={"tp-size": [1], "--tp_size": [2]})
    assert caught.value.code is ErrorCode.CONTRADICTION


def test_reading_it_again_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    first = read(settings, tmp_path, task_name="t", profiles=["balanced"])
    again = tmp_path / "again.yaml"
    again.write_text(write(to_data(first)))
    assert read_document(str(again), settings=settings) == first
    # With another profile what the first one gave is the document's, and remembers where it is from.
    again.write_text(write({**to_data(first), "profiles": ["production"]}))
    second = read_document(str(again), settings=settings)
    assert second.assembled is not None
    assert second.assembled.origins["parameters.n_parallel"] == BALANCED
    assert [layer.name for layer in second.assembled.layers] == [BALANCED, "profile:production:production-params"]


def test_data_is_read_with_the_keys_that_are_given(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "task.yaml"
    file.write_text("{model: {id_or_path: tiny}, profiles: [quick-test]}")
    data = read_data(str(file), settings=settings)
    assert data["parameters"] == {"n_parallel": [1], "n_ubatch": [256]}
    assert data["optimization"] == {"max_iterations": 2}
    assert "profiles" not in data


# ---- profiles of people

MINE = """
name: mine
tags: [own]
data:
  optimization: {max_iterations: 7}
  parameters: {tp-size: [1, 2], no-such-flag: [1]}
"""


def own_profile(settings: Settings, text: str = MINE, name: str = "mine.yaml") -> None:
    settings.profiles_dir.mkdir(parents=True, exist_ok=True)
    (settings.profiles_dir / name).write_text(text)


def test_a_file_in_the_configuration_folder_is_a_profile(settings: Settings) -> None:
    own_profile(settings)
    book = open_profiles(settings)
    assert book.problems == ()
    assert book.profiles.names()[-1] == "mine"
    made = assembled(settings, "mine")
    assert made.data["optimization"]["max_iterations"] == 7
    assert made.data["parameters"] == {"tp-size": [1, 2]}
    assert "profile mine: parameters.no-such-flag is left out: sglang has nothing like it" in made.warnings


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{name: balanced, data: {labels: [a]}}", "it is built-in"),
        ("{name: other, data: {no_such_key: 1}}", "'no_such_key' is not a key of the document"),
        ("{name: [", "cannot be read (at line 2"),
        ("", "it is empty"),
    ],
)
def test_a_wrong_file_is_a_problem_and_the_others_stay(settings: Settings, text: str, why: str) -> None:
    own_profile(settings)
    own_profile(settings, text, "wrong.yaml")
    book = open_profiles(settings)
    assert "mine" in book.profiles.names()
    (problem,) = book.problems
    assert why in f"{problem}"
    assert "wrong.yaml" in str(problem)


def test_files_that_cannot_be_read_are_problems(settings: Settings) -> None:
    own_profile(settings)
    (settings.profiles_dir / "binary.yaml").write_bytes(b"\xff\xfe")
    (settings.profiles_dir / "huge.yaml").write_text("#" * (1 << 20) + "\n")
    (settings.profiles_dir / "notes.txt").write_text("no profile")
    (settings.profiles_dir / "folder.yaml").mkdir()
    problems = {Path(str(problem.place)).name: problem.why for problem in open_profiles(settings).problems}
    assert problems.keys() == {"binary.yaml", "huge.yaml", "folder.yaml"}
    assert problems["huge.yaml"] == "it is larger than 1 MiB"


def test_the_configuration_folder_can_be_named(tmp_path: Path) -> None:
    usual = load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path)})
    assert usual.profiles_dir == tmp_path / "config" / "profiles"
    named = load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path), "AUTOTUNER_CONFIG_DIR": str(tmp_path / "mine")})
    assert named.profiles_dir == tmp_path / "mine" / "profiles"


def plug_in(monkeypatch: pytest.MonkeyPatch, **functions: Callable[[Profiles], None]) -> None:
    """Installed distributions that offer profiles."""
    module = ModuleType("offered_profiles")
    for name, function in functions.items():
        setattr(module, name, function)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    offered = {name: f"{module.__name__}:{name}" for name in functions}
    monkeypatch.setattr(services, "PLUGINS", replace(services.PLUGINS, built_in=offered))


def test_a_package_registers_profiles(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def team(profiles: Profiles) -> None:
        profiles.register_profile("team", [Layer("team-params", {"parameters": {"tp-size": [1]}})], {"tags": ("ours",)})

    plug_in(monkeypatch, team=team)
    book = open_profiles(settings)
    assert book.problems == ()
    assert book.profiles.details("team").tags == ("ours",)
    assert assembled(settings, "team").provenance["parameters.tp-size"] == "profile:team:team-params"


def test_a_package_that_takes_a_name_is_a_problem(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(profiles: Profiles) -> None:
        profiles.register_profile("balanced", [Layer("a", {"labels": ["x"]})])

    plug_in(monkeypatch, wrong=wrong)
    book = open_profiles(settings)
    (problem,) = book.problems
    assert problem.code is ErrorCode.CONFLICT
    assert len(book.profiles.names()) == 6


def test_an_unknown_profile_names_the_files_that_were_not_read(settings: Settings) -> None:
    own_profile(settings, "{name: mine, data: {no_such_key: 1}}")
    made = assembled(settings, "mine", "balanced")
    assert any("no_such_key" in warning for warning in made.warnings)


def test_a_profile_is_shown_for_each_engine(settings: Settings) -> None:
    shown = show_profile("balanced", open_profiles(settings))
    assert set(shown.engines) == {"llamacpp", "sglang", "simulated", "tensorrt-llm", "vllm"}
    assert shown.engines["sglang"].keys["parameters.tp-size"] == [1, 2, 4]
    assert shown.engines["llamacpp"].keys["parameters.n_parallel"] == [4, 8, 16]
    (only,) = show_profile("balanced", open_profiles(settings), engine="trtllm").engines
    assert only == "tensorrt-llm"


def test_where_values_are_from_is_no_part_of_what_is_measured(settings: Settings, tmp_path: Path) -> None:
    document = read(settings, tmp_path, task_name="t", profiles=["balanced"])
    by_hand = validate({key: value for key, value in to_data(document).items() if key != "assembled"})
    assert identity(by_hand) == identity(document)
