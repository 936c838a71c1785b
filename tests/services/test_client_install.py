"""Environments of benchmark clients: whole or not there, whatever ends their making."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autotuner.contracts.client import ClientPackage
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.services.client_install import install_client
from autotuner.services.clients import environment, list_clients, python_of
from autotuner.services.settings import Settings

PYTHONS = ((3, 11), (4, 0))


def package(folder: Path, *, check: str = "pass", requirements: str = "", disk: int = 0) -> ClientPackage:
    """A client that consists of nothing, so that its installation needs no network."""
    file = folder / "requirements.txt"
    file.write_text(requirements, encoding="utf-8")
    return ClientPackage("nothing", "1.0", (file,), check, PYTHONS, disk)


def settings(folder: Path) -> Settings:
    return Settings(data_dir=folder / "data", database=str(folder / "data" / "a.db"))


def install(of: ClientPackage, where: Settings) -> tuple[Path, bool, list[str]]:
    told: list[str] = []
    folder, made = asyncio.run(install_client(of, where, told.append))
    return folder, made, told


def test_an_environment_is_made_once_and_told_of(tmp_path: Path) -> None:
    of, where = package(tmp_path), settings(tmp_path)
    folder, made, told = install(of, where)
    assert made
    python = python_of(of, where)
    assert python == folder / "bin" / "python"
    assert subprocess.run([str(python), "-c", "import pip"], check=False).returncode == 0
    assert any("part 1 of 1" in line for line in told)
    again, made, told = install(of, where)
    assert (again, made, told) == (folder, False, [])
    newer = ClientPackage("nothing", "1.1", of.requirements, of.check, PYTHONS, 0)
    assert environment(newer, where) != folder, "another version is another environment"


def test_one_that_does_not_run_is_not_kept(tmp_path: Path) -> None:
    of, where = package(tmp_path, check="raise SystemExit('it lacks a library')"), settings(tmp_path)
    with pytest.raises(AutotunerError) as caught:
        install(of, where)
    assert caught.value.code is ErrorCode.NO_RESULT
    assert "it lacks a library" in caught.value.why
    assert python_of(of, where) is None
    assert not environment(of, where).exists()


def test_a_killed_installation_is_never_taken_for_a_good_one_and_heals(tmp_path: Path) -> None:
    fifo = tmp_path / "here"
    os.mkfifo(fifo)
    waits = f"import os, time; open({str(fifo)!r}, 'w').write(str(os.getpid())); time.sleep(1000)"
    where = settings(tmp_path)
    of = package(tmp_path, check=waits)
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from autotuner.services.client_install import install_client\n"
        "from autotuner.contracts.client import ClientPackage\n"
        "from autotuner.services.settings import Settings\n"
        "folder, check = Path(sys.argv[1]), sys.argv[2]\n"
        "of = ClientPackage('nothing', '1.0', (folder / 'requirements.txt',), check, ((3, 11), (4, 0)), 0)\n"
        "where = Settings(data_dir=folder / 'data', database=str(folder / 'data' / 'a.db'))\n"
        "asyncio.run(install_client(of, where, print))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path), waits], stdout=subprocess.DEVNULL) as process:
        checking = int(fifo.read_text())  # everything is installed, and the check runs
        descriptor = os.pidfd_open(checking)
        try:
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert environment(of, where).is_dir(), "what it has left"
            assert python_of(of, where) is None
            _until_gone(descriptor)
        finally:
            os.close(descriptor)
    healed = package(tmp_path)
    assert environment(healed, where) == environment(of, where), "the check does not name the environment"
    _, made, told = install(healed, where)
    assert made
    assert "cut off" in told[0]
    assert python_of(healed, where) is not None


def _until_gone(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert poll.poll(60_000)


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    of, where = package(tmp_path), settings(tmp_path)

    async def both() -> None:
        first_told = asyncio.Event()
        first = asyncio.create_task(install_client(of, where, lambda text: first_told.set()))
        await first_told.wait()
        with pytest.raises(AutotunerError) as caught:
            await install_client(of, where, lambda text: None)
        assert caught.value.code is ErrorCode.TASK_BUSY
        first.cancel()
        await asyncio.wait({first})

    asyncio.run(both())
    assert not environment(of, where).exists(), "a cancelled one leaves nothing"
    assert install(of, where)[1]


@pytest.mark.parametrize(
    ("requirements", "code"),
    [
        ("no-such-distribution-of-ours==1.0\n", "unreachable"),
        ("this is no requirement\n", "no_result"),
    ],
)
def test_what_cannot_be_had_is_a_clear_error(
    requirements: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9")  # nobody listens there
    of, where = package(tmp_path, requirements=requirements), settings(tmp_path)
    with pytest.raises(AutotunerError) as caught:
        install(of, where)
    assert caught.value.code.value == code
    assert caught.value.remedy
    assert not environment(of, where).exists()


def test_no_room_and_another_python_are_told_before_anything_is_made(tmp_path: Path) -> None:
    where = settings(tmp_path)
    with pytest.raises(AutotunerError) as caught:
        install(package(tmp_path, disk=10**18), where)
    assert caught.value.code is ErrorCode.STORAGE
    old = ClientPackage("nothing", "1.0", (), "pass", ((2, 6), (3, 0)), 0)
    with pytest.raises(AutotunerError) as caught:
        install(old, where)
    assert caught.value.code is ErrorCode.UNSUPPORTED


def test_the_list_says_what_is_installed(tmp_path: Path) -> None:
    found = {entry.name: entry.state for entry in list_clients(settings(tmp_path))}
    assert found["builtin"] == "built in"
    assert found["guidellm"] == found["genai-bench"] == "not installed"
