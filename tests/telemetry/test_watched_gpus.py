"""GPUs through a real shared library, which stands in for the driver's."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from metrics_page import Client, Deployed, Page

from autotuner.contracts.attempt import Command, Measured
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.server_metrics import GpuFigures, Level
from autotuner.metrics import aggregate
from autotuner.runner.attempt import run_attempt
from autotuner.telemetry import nvml, watch
from autotuner.telemetry.gpus import Gpus
from autotuner.telemetry.nvml import GpuReading, Nvml
from autotuner.telemetry.window import energy_per_token, gpu_figures
from conformance.fake_parts import make_job

SOURCE = Path(__file__).with_name("fake_nvml.c")
GIB = float(1 << 30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the library lies, under the name of the driver's."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make a library that stands in for the driver's")
    made = tmp_path_factory.mktemp("nvml")
    library = made / nvml.LIBRARY
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True)
    return made


@pytest.fixture
def library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    path = str(folder / nvml.LIBRARY)
    monkeypatch.setattr(nvml, "LIBRARY", path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return ctypes.CDLL(path)


def test_what_the_driver_tells_is_read_in_our_units(library: ctypes.CDLL) -> None:
    opened = Nvml.open()
    assert opened is not None
    assert opened.names() == ["Fake GPU A", "Fake GPU B", "Fake GPU B", ""]
    first, second, lost = opened.read([0, 1, 3])
    assert first.power in (250.0, 350.0)
    assert first == GpuReading(0, 0.5, 8 * GIB, first.power, 60.0, 1900.0)
    assert second == GpuReading(1, 0.75, 9.5 * GIB, None, 61.0, 1800.0)
    assert lost == GpuReading(3, None, None, None, None, None)
    assert library.fake_nvml_opened() == 1
    opened.close()
    assert library.fake_nvml_opened() == 0


@pytest.mark.parametrize(
    ("devices", "indices"),
    [
        (None, [0, 1, 2, 3]),
        ("", []),
        ("1", [1]),
        ("2, 0", [2, 0]),
        ("GPU-bbbb,GPU-aaaa-0000", [1, 0]),
        ("0,9,1", [0]),
        ("-1,0", []),
        ("1,1", [1]),
        ("MIG-aaaa", []),
        ("GPU-dddd,0", []),
    ],
)
def test_the_gpus_that_a_server_sees(library: ctypes.CDLL, devices: str | None, indices: list[int]) -> None:
    opened = Nvml.open()
    assert opened is not None
    assert opened.visible(devices) == indices
    opened.close()


def test_without_library_or_driver_there_are_no_gpus(
    library: ctypes.CDLL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(tmp_path)
    monkeypatch.setenv("FAKE_NVML_BROKEN", "1")
    assert Gpus.of(job) is None
    monkeypatch.delenv("FAKE_NVML_BROKEN")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert Gpus.of(job) is None
    own = Gpus.of(job.model_copy(update={"command": Command(argv=("x",), env={"CUDA_VISIBLE_DEVICES": "1"})}))
    assert own is not None
    assert [gpu.index for gpu in own.read()] == [1]
    own.close()
    assert library.fake_nvml_opened() == 0
    monkeypatch.setattr(nvml, "LIBRARY", str(tmp_path / "none.so"))
    assert Gpus.of(job) is None


async def measured(tmp_path: Path, page: Page, *, here: bool, visible: str) -> Measurement:
    job = make_job(tmp_path).model_copy(
        update={"command": Command(argv=("serve",), env={"CUDA_VISIBLE_DEVICES": visible})}
    )
    page.asked.append(None)  # it is no server of metrics here
    records = [r async for r in run_attempt(job, Deployed(page, here=here), Client(page, 0, seconds=0.5))]
    return next(record.measurement for record in records if isinstance(record, Measured))


async def test_a_measurement_has_the_figures_of_the_servers_gpus(
    library: ctypes.CDLL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PERIOD_S", 0.02)
    found = await measured(tmp_path, Page(lambda number: (404, b"")), here=True, visible="0,2")
    (gpu,) = found.gpus
    assert gpu.readings >= 1
    assert gpu.index == 0, "nothing ran on the other one"
    assert gpu.utilization == Level(mean=0.5, max=0.5)
    assert gpu.memory_used == Level(mean=8 * GIB, max=8 * GIB)
    assert gpu.power is not None
    assert 250 <= gpu.power.mean <= gpu.power.max <= 350
    assert found.energy_per_output_token == pytest.approx(gpu.power.mean / found.output_throughput)
    assert found.server is None
    assert library.fake_nvml_opened() == 0
    flat = aggregate([found], scored=[found.load_point], gpu_count=1)
    assert flat["mean_gpu_power"] == pytest.approx(gpu.power.mean)
    assert flat["energy_per_output_token"] == pytest.approx(found.energy_per_output_token)
    assert (flat["max_gpu_memory_used"], flat["mean_gpu_sm_clock"]) == (8 * GIB, 1900)


async def test_gpus_of_this_host_say_nothing_of_a_server_elsewhere(library: ctypes.CDLL, tmp_path: Path) -> None:
    found = await measured(tmp_path, Page(lambda number: (404, b"")), here=False, visible="0")
    assert (found.gpus, found.energy_per_output_token) == ((), None)


def test_energy_needs_the_power_of_every_gpu() -> None:
    told = GpuFigures(index=0, readings=1, power=Level(mean=300, max=300))
    silent = GpuFigures(index=1, readings=1, utilization=Level(mean=1, max=1))
    assert energy_per_token([told, told], 100.0) == 6.0
    assert energy_per_token([told, silent], 100.0) is None
    assert energy_per_token([], 100.0) is None
    assert energy_per_token([told], 0.0) is None
    outside = [(1.0, [GpuReading(0, 1.0, None, None, None, None)]), (9.0, [GpuReading(0, 1.0, None, None, None, None)])]
    assert gpu_figures(outside, 2.0, 5.0) == ()


def test_doctor_names_the_gpus(folder: Path) -> None:
    """Through the loader's own search, as with a real driver."""

    def gpu(**more: str) -> dict[str, str]:
        command = [sys.executable, "-m", "autotuner", "doctor", "--json"]
        env = {**os.environ, "LD_LIBRARY_PATH": str(folder), **more}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        checks: list[dict[str, str]] = json.loads(done.stdout)
        return next(check for check in checks if check["name"] == "GPU")

    assert gpu()["found"] == "Fake GPU A, Fake GPU B, Fake GPU B"
    assert "Fake" not in gpu(FAKE_NVML_BROKEN="1")["found"]
