"""Benchmarks refuse to measure beside other work, and beside each other."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"

HOLDER = """
import sys
from pathlib import Path
from quiet import quiet_machine
with quiet_machine(1.0, watch_s=0.05, lock=Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("quiet")


@contextmanager
def running(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program that has printed its first line."""
    command = [sys.executable, "-c", code, *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=BENCHMARKS, text=True, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def times(quiet: ModuleType, busy: int, total: int, **programs: int) -> object:
    named = {int(name.removeprefix("p")): (name, ticks) for name, ticks in programs.items()}
    return quiet.CpuTimes(busy, total, named)


def test_a_busy_process_is_refused_and_named(
    quiet: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running("print('busy', flush=True)\nwhile True: pass") as process:
        with (
            pytest.raises(SystemExit) as refused,
            quiet.quiet_machine(watch_s=0.5, lock=tmp_path / "lock"),
        ):
            pytest.fail("measured beside a busy process")
        assert refused.value.code == quiet.NOT_QUIET
        assert f"pid {process.pid}" in capsys.readouterr().err
        with quiet.quiet_machine(watch_s=0.5, lock=tmp_path / "lock", anyway=True):
            assert "NOT TO BE QUOTED" in capsys.readouterr().err
        assert "not to be quoted" in capsys.readouterr().out


def test_a_second_benchmark_is_refused_even_anyway(
    quiet: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / "lock"
    with running(HOLDER, str(lock)) as holder:
        with (
            pytest.raises(SystemExit) as refused,
            quiet.quiet_machine(1.0, watch_s=0.05, lock=lock, anyway=True),
        ):
            pytest.fail("two benchmarks at once")
        assert refused.value.code == quiet.NOT_QUIET
        assert "Another benchmark runs" in capsys.readouterr().err
        holder.kill()
        holder.wait()
        with quiet.quiet_machine(1.0, watch_s=0.05, lock=lock):
            pass  # the lock has died with its holder


def test_waiting_for_the_other_benchmark(quiet: ModuleType, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with running(HOLDER, str(lock)) as holder:
        waiting = HOLDER.replace("lock=", "wait=True, lock=")
        command = [sys.executable, "-c", waiting, str(lock)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, cwd=BENCHMARKS, text=True, **pipes) as second:
            assert second.stderr is not None
            assert "Waiting" in second.stderr.readline()
            assert second.poll() is None
            holder.kill()
            out, _ = second.communicate("")
            assert out == "held\n"
            assert second.returncode == 0


def test_what_this_process_uses_itself_is_not_foreign(quiet: ModuleType) -> None:
    own = f"p{os.getpid()}"
    before = times(quiet, 100, 1000, **{own: 10, "p1": 5})
    after = times(quiet, 150, 1200, **{own: 40, "p1": 15, "p2": 10})
    assert quiet.foreign_share(before, after) == pytest.approx(20 / 200)
    assert [(pid, name) for pid, name, _ in quiet.top_users(before, after)] == [(1, "p1"), (2, "p2")]


def test_counters_that_stand_still_tell_nothing(
    quiet: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cores = "".join(f"cpu{core} 5 0 5 90 0 0 0 0 0 0\n" for core in os.sched_getaffinity(0))
    (tmp_path / "stat").write_text(cores)
    for proc, said in ((tmp_path, "stand still"), (tmp_path / "none", "cannot be told")):
        with pytest.raises(SystemExit), quiet.quiet_machine(watch_s=0.0, lock=tmp_path / "lock", proc=proc):
            pytest.fail("measured without knowing")
        assert said in capsys.readouterr().err
