"""Energy is refused before anything starts where it can never be measured."""

from pathlib import Path

import pytest

from autotuner.config.document import TaskDocument
from autotuner.config.load import validate
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.services.documents import demo_document
from autotuner.services.planning import check_ready, plan_document
from autotuner.services.settings import Settings
from autotuner.telemetry import nvml


def tiny(objective: object) -> dict[str, object]:
    return {
        "task_name": "t",
        "base_runtime": "llamacpp",
        "model": {"id_or_path": "tiny"},
        "optimization": {"objective": objective, "max_iterations": 1},
        "benchmark": {"traffic_scenarios": ["D(10,10)"], "num_concurrency": [1]},
    }


def refused(document: TaskDocument, folder: Path) -> AutotunerError:
    plan = plan_document(document, Settings(data_dir=folder, database=str(folder / "a.db")))
    with pytest.raises(AutotunerError) as caught:
        check_ready(plan)
    assert caught.value.code is ErrorCode.UNSUPPORTED
    assert "minimize_energy needs the energy of GPUs" in caught.value.what
    return caught.value


@pytest.mark.parametrize("objective", ["minimize_energy", ["maximize_throughput", "minimize_energy"]])
def test_without_the_drivers_library_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, objective: object
) -> None:
    monkeypatch.setattr(nvml, "LIBRARY", str(tmp_path / "none.so"))
    error = refused(validate(tiny(objective)), tmp_path)
    assert "NVIDIA GPUs of this host" in error.why


def test_predictions_have_no_energy(tmp_path: Path) -> None:
    document = demo_document(sets=["optimization.objective=minimize_energy"])
    assert "predictions" in refused(document, tmp_path).why
