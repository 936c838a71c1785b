"""The document of a task by sections."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from autotuner.config.load import to_data, validate
from autotuner.contracts.store import TaskRecord, TaskStatus
from autotuner.services.task_configuration import SECTIONS, ConfiguredValue, PresetThen, task_configuration

MERGED = {
    "layers": [
        {"name": "profile:quick-test:quick-test-params"},
        {"name": "preset:chat", "number": 7, "revision": 3},
        {"name": "preset:small", "number": 8, "revision": 1},
    ],
    "origins": {
        "optimization.max_iterations": "profile:quick-test:quick-test-params",
        "parameters.n_parallel": "preset:chat+small",
    },
    "notes": ["preset small: tp-size is left out"],
}


def task(**changes: Any) -> TaskRecord:
    document = validate({"model": {"id_or_path": "tiny"}, **changes}, name="first")
    now = datetime.now(UTC)
    return TaskRecord(
        name="first",
        document=to_data(document),
        fingerprint="",
        id=1,
        status=TaskStatus.PENDING,
        next_seq=2,
        created_at=now,
        updated_at=now,
    )


def values(record: TaskRecord) -> dict[str, ConfiguredValue]:
    return {value.place: value for section in task_configuration(record).sections for value in section.values}


def test_a_value_is_the_documents_or_the_fields_default() -> None:
    found = values(task(optimization={"max_iterations": 3}, benchmark={"num_concurrency": [8]}))
    assert (found["optimization.max_iterations"].layer, found["optimization.max_iterations"].value) == ("document", 3)
    assert found["optimization.seed"].layer == "default"
    assert found["benchmark.num_concurrency"].layer == "document"
    assert found["benchmark.traffic_scenarios"].layer == "default"
    assert found["model.id_or_path"].layer == "document"


def test_a_value_of_a_layer_names_it_with_the_revision_of_each_preset() -> None:
    parameters = {"n_parallel": [1, 2]}
    found = values(task(parameters=parameters, optimization={"max_iterations": 3}, assembled=MERGED))
    assert found["optimization.max_iterations"].layer == "profile:quick-test:quick-test-params"
    assert found["optimization.max_iterations"].presets == ()
    assert found["parameters.n_parallel"].presets == (
        PresetThen(slug="chat", number=7, revision=3),
        PresetThen(slug="small", number=8, revision=1),
    )


def test_the_layers_stand_in_their_order_with_what_was_left_out_of_them() -> None:
    shown = task_configuration(task(assembled=MERGED))
    assert shown.layers == ("profile:quick-test:quick-test-params", "preset:chat", "preset:small")
    assert shown.notes == ("preset small: tp-size is left out",)


def test_fields_have_their_description_and_free_keys_none() -> None:
    found = values(task(parameters={"n_parallel": 4}, slo={"ttft": {"threshold": 0.5}}))
    assert "seconds" in found["slo.ttft.mean.threshold"].description
    assert found["slo.ttft.mean.weight"].layer == "default"
    assert found["parameters.n_parallel"].description == ""


def test_every_key_of_a_document_has_a_section_or_is_a_request_for_layers() -> None:
    known = {block for blocks in SECTIONS.values() for block in blocks}
    document = validate({"model": {"id_or_path": "tiny"}}, name="first")
    assert set(type(document).model_fields) - known == {"profiles", "presets", "merge_strategy", "assembled"}


def test_a_section_without_values_is_left_out() -> None:
    names = [section.name for section in task_configuration(task()).sections]
    assert "quantization" not in names
    assert names == [name for name in SECTIONS if name in names]
