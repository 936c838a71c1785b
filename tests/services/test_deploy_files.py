"""The winner's files: what they start is exactly what was measured."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.contracts.attempt import (
    API_KEY,
    HOST,
    PORT,
    AttemptJob,
    AttemptReason,
    Command,
    CoreSplit,
    ServerFacts,
    file_argument,
)
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic, Workload
from autotuner.services.deploy_files import shell_command, systemd_unit

ODD = [
    "plain", "two words", "it's", 'say "hi"', "$HOME ${X} $$", "100%h %%", "back\\slash\\", "`id`", "*", "~", "", ";",
    "line\nbreak", "tab\there", "ü→", "-x", "#no comment", "&& false", "a=b", "\x01", "!x", "{port}",
]  # fmt: skip
ECHO = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), sorted(os.sched_getaffinity(0))]))"


def job(
    *arguments: str,
    env: dict[str, str] | None = None,
    cores: tuple[int, ...] | None = None,
    program: tuple[str, ...] = (sys.executable, "-c", ECHO),
    task_name: str = "quick-start",
) -> AttemptJob:
    length = Length(mean=10)
    traffic = Traffic(text="D(10,10)", parts=((1.0, Scenario(text="D(10,10)", prompt=length, output=length)),))
    return AttemptJob(
        task_id=1,
        task_name=task_name,
        experiment_id=7,
        experiment_number=4,
        attempt_id=9,
        reason=AttemptReason.FIRST,
        deployment="local",
        client="builtin",
        command=Command(argv=(*program, *arguments), env=env or {}),
        served_name="tiny",
        server=ServerFacts(),
        workload=Workload(load_points=(LoadPoint(traffic=traffic, concurrency=1),)),
        cores=CoreSplit(server=cores),
        artefact_dir="/nowhere",
    )


def run(script: str, **env: str) -> tuple[list[str], dict[str, str], list[int]]:
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"], **env}
    )
    arguments, environment, affinity = json.loads(done.stdout)
    return arguments, environment, affinity


def test_the_script_gives_exactly_the_arguments_and_variables() -> None:
    variables = {f"ODD_{i}": word for i, word in enumerate(ODD)}
    arguments, environment, _ = run(shell_command(job(*ODD, env=variables), port=9000))
    assert arguments == ["9000" if word == PORT else word for word in ODD]
    assert {name: environment[name] for name in variables} == {
        name: "9000" if word == PORT else word for name, word in variables.items()
    }


def test_only_whole_stand_ins_are_replaced() -> None:
    given_words = ("--host", HOST, "--port", PORT, f"--port={PORT}")
    arguments, _, _ = run(shell_command(job(*given_words), host="192.0.2.1", port=1234))
    assert arguments == ["--host", "192.0.2.1", "--port", "1234", "--port={port}"]


def test_the_key_comes_from_the_variable_that_the_engine_reads() -> None:
    script = shell_command(job("--key", API_KEY, env={"ENGINE_KEY": API_KEY}))
    arguments, environment, _ = run(script, ENGINE_KEY="s3 cret$")
    assert arguments == ["--key", "s3 cret$"]
    assert environment["ENGINE_KEY"] == "s3 cret$"
    missing = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert missing.returncode != 0
    assert "ENGINE_KEY" in missing.stderr
    assert missing.stdout == ""


def test_a_key_that_is_only_an_argument_has_a_variable_of_its_own() -> None:
    arguments, _, _ = run(shell_command(job(API_KEY)), AUTOTUNER_API_KEY="k")
    assert arguments == ["k"]


def test_files_of_the_command_are_written_with_the_key_from_its_variable(tmp_path: Path) -> None:
    text = json.dumps({"api-key": API_KEY, "odd": ODD}, ensure_ascii=False)
    argv = (sys.executable, "-c", ECHO, "--config", file_argument("a file.yaml"), "end")
    made = job().model_copy(update={"command": Command(argv=argv, files={"a file.yaml": text})})
    arguments, _, _ = run(shell_command(made), AUTOTUNER_API_KEY="k", TMPDIR=str(tmp_path))
    assert (arguments[0], arguments[2]) == ("--config", "end")
    written = Path(arguments[1])
    assert json.loads(written.read_text()) == {"api-key": "k", "odd": ODD}
    assert written.stat().st_mode & 0o077 == 0
    with pytest.raises(AutotunerError, match="shell script"):
        systemd_unit(made)


@pytest.mark.skipif(shutil.which("taskset") is None, reason="no taskset")
def test_a_pinned_server_is_pinned() -> None:
    core = min(os.sched_getaffinity(0))
    _, _, affinity = run(shell_command(job(cores=(core,))))
    assert affinity == [core]


def test_names_cannot_leave_their_comment() -> None:
    bad = "x\nexit 3 #\r\\"
    arguments, _, _ = run(shell_command(job("ok", task_name=bad)))
    assert arguments == ["ok"]
    unit = systemd_unit(job("ok", task_name=bad))
    assert not [line for line in unit.splitlines() if line.startswith("exit") or line.endswith("\\")]


@pytest.mark.parametrize("make", [shell_command, systemd_unit])
def test_nothing_to_deploy_is_said(make: Callable[[AttemptJob], str]) -> None:
    with pytest.raises(AutotunerError, match="nothing to deploy"):
        make(job().model_copy(update={"command": None}))
    with pytest.raises(AutotunerError, match="environment variable"):
        make(job(env={"A B": "x"}))


def unquote(text: str, environment: dict[str, str]) -> list[str]:
    """ExecStart or Environment words as systemd.service and systemd.syntax define them, each in double quotes."""
    words = re.findall(r'"((?:[^"\\]|\\.)*)"(?: |$)', text)
    assert " ".join(f'"{word}"' for word in words) == text
    return [_plain_word(word, environment) for word in words]


def _plain_word(word: str, environment: dict[str, str]) -> str:
    out = bytearray()
    position = 0
    while position < len(word):
        rest = word[position:]
        if hexadecimal := re.match(r"\\x([0-9a-f]{2})", rest):
            out.append(int(hexadecimal[1], 16))
            position += 4
        elif rest.startswith(("\\\\", '\\"', "%%", "$$")):
            out += rest[1].encode()
            position += 2
        elif variable := re.match(r"\$\{(\w+)\}", rest):
            out += environment[variable[1]].encode()
            position += len(variable[0])
        else:
            assert rest[0] not in "\\%$", rest
            out += rest[0].encode()
            position += 1
    return out.decode()


def settings(unit: str, name: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{name}=")]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"))))
def test_the_unit_gives_exactly_the_arguments(words: list[str]) -> None:
    words = [word for word in words if word not in (HOST, PORT, API_KEY)]
    (line,) = settings(systemd_unit(job(*words)), "ExecStart")
    assert unquote(line, {})[3:] == words


def test_the_unit_has_key_variables_and_cores() -> None:
    odd = {f"ODD_{i}": word.replace("$", "") for i, word in enumerate(ODD) if word != PORT}
    unit = systemd_unit(job("--key", API_KEY, PORT, env={**odd, "ENGINE_KEY": API_KEY}, cores=(0, 2)), port=81)
    assert settings(unit, "EnvironmentFile") == ["/etc/inference-autotuner/server.env"]
    assert settings(unit, "CPUAffinity") == ["0 2"]
    assert settings(unit, "Restart") == ["on-failure"]
    found = dict(unquote(line, {})[0].split("=", 1) for line in settings(unit, "Environment"))
    assert found == odd
    (line,) = settings(unit, "ExecStart")
    assert unquote(line, {"ENGINE_KEY": "secret"})[3:] == ["--key", "secret", "81"]
    assert "EnvironmentFile" not in systemd_unit(job())


def test_a_relative_program_is_refused() -> None:
    with pytest.raises(AutotunerError, match="absolute path"):
        systemd_unit(job(program=("bin/server",)))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    path = tmp_path / "winner.service"
    path.write_text(systemd_unit(job(*ODD, env={"A": "100% $x \" '"}, cores=(0,))), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "winner.service" not in done.stderr


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"))))
def test_the_script_quotes_any_argument(words: list[str]) -> None:
    words = [word for word in words if word not in (HOST, PORT, API_KEY)]
    last = shell_command(job(*words)).partition("exec ")[2]
    assert shlex.split(last)[3:] == words
