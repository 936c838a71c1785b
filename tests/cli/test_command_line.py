"""The command line itself: what it imports, its help, its errors and exit codes."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from command_runner import COMMAND, Commands, three_lines

from autotuner.cli.failures import excepthook
from autotuner.cli.lazy import Lazy, LazyGroup
from autotuner.cli.main import COMMANDS, cli
from autotuner.cli.options import Duration
from autotuner.cli.state import State

HEAVY = ("pydantic", "sqlalchemy", "rich", "numpy", "scipy", "optuna", "asyncio", "yaml")


def loaded_by(*words: str) -> set[str]:
    """Modules that are loaded when the command line has run these words."""
    program = (
        "import sys; from autotuner.cli.main import cli\n"
        f"code = cli.main({list(words)!r}, prog_name='autotuner', standalone_mode=False)\n"
        "sys.stderr.write(' '.join(sys.modules)); sys.exit(code)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(ran.stderr.split())


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["task", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    loaded = loaded_by(*words)
    assert "click" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_overall_help_imports_no_command() -> None:
    assert not {name for name in loaded_by("--help") if name.startswith("autotuner.cli.commands")}


def all_commands() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []

    def walk(group: click.Group, path: str) -> None:
        context = click.Context(group, info_name=path)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            found.append((f"{path} {name}", command))
            if isinstance(command, click.Group):
                walk(command, f"{path} {name}")

    walk(cli, "autotuner")
    return found


def test_the_table_says_of_each_command_what_it_says_of_itself() -> None:
    context = click.Context(cli, info_name="autotuner")
    for name, entry in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert (command.name, command.get_short_help_str(limit=100)) == (name, entry.summary)


@pytest.mark.parametrize(("path", "command"), all_commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_each_help_teaches(path: str, command: click.Command) -> None:
    text = command.help or ""
    if isinstance(command, click.Group):
        return
    assert re.search(r"Exit codes?: ", text), f"{path} does not tell its exit codes"
    described = [p for p in command.params if isinstance(p, click.Option) and not p.hidden and p.name != "kind"]
    assert all(option.help for option in described), path


def test_each_example_of_a_help_is_a_command_that_exists() -> None:
    known = {path for path, _ in all_commands()}
    examples = [
        line.strip()
        for _, command in all_commands()
        for line in inspect.cleandoc(command.help or "").splitlines()
        if line.startswith("  autotuner ")
    ]
    assert len(examples) > 15
    for example in examples:
        words = example.split()
        assert " ".join(words[:2]) in known, example


def test_the_version_is_the_package_s(commands: Commands) -> None:
    result = commands("--version")
    assert re.fullmatch(r"autotuner \d+\.\d+\.\d+\n", result.stdout)


@pytest.mark.parametrize(
    ("words", "near"), [(["rnu", "x.yaml"], "run"), (["reslts"], "results"), (["task", "shwo"], "show")]
)
def test_a_mistyped_command_gets_the_nearest_name(commands: Commands, words: list[str], near: str) -> None:
    result = commands(*words)
    assert result.exit_code == 2
    assert f"Did you mean '{near}'?" in result.stderr


def test_a_usage_error_as_json(commands: Commands) -> None:
    result = commands("run", "--json")
    assert result.exit_code == 2
    error = json.loads(result.stderr)["error"]
    assert error["code"] == "usage"
    assert "TASK.yaml" in error["what"]


def test_terminal_escapes_of_users_are_spelt_out(commands: Commands) -> None:
    for words in (["\x1b[31mrun"], ["run", "\x1b[2Jtask.yaml"], ["engine", "show", "\x1b]0;title\x07"]):
        result = commands(*words)
        assert result.exit_code == 2
        assert "\x1b" not in result.output
        assert "\\u001b" in result.output or "\\x1b" in result.output


def test_an_error_as_json_is_one_object_on_stderr(commands: Commands) -> None:
    result = commands("run", "nowhere.yaml", "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    error = json.loads(result.stderr)["error"]
    assert error["code"] == "missing_file"
    assert error["place"] == "nowhere.yaml"
    assert error["why"]
    assert error["remedy"]


def test_debug_shows_where_an_error_was_raised(commands: Commands) -> None:
    assert "Traceback" not in commands("run", "nowhere.yaml").stderr
    result = commands.spawn("run", "nowhere.yaml", "--debug")
    assert result.returncode == 2
    assert "Traceback" in result.stderr
    assert result.stderr.rstrip().splitlines()[-1].startswith("What to do: ")


def test_what_nobody_expected_is_one_sentence_and_exit_code_1() -> None:
    program = (
        "import sys, click; import autotuner.cli.main as m\n"
        "@click.command()\n"
        "def broken(): raise KeyError('x')\n"
        "m.cli.lazy = {'broken': None}\n"
        "m.cli.get_command = lambda ctx, name: broken\n"
        "m.main()"
    )
    for flag, lines in (([], 1), (["--json"], 1), (["--debug"], 5)):
        ran = subprocess.run(
            [sys.executable, "-c", program, *flag, "broken"], capture_output=True, text=True, check=False
        )
        assert ran.returncode == 1
        assert "KeyError" in ran.stderr
        assert (len(ran.stderr.splitlines()) > 1) == (lines > 1), ran.stderr
        assert ("Traceback" in ran.stderr) == (flag == ["--debug"])
        if flag == ["--json"]:
            assert json.loads(ran.stderr)["error"]["code"] == "internal"


def test_the_hook_names_the_place(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("\x1b[31mred")
    except ValueError as error:
        excepthook(debug=False, as_json=False)(type(error), error, error.__traceback__)
    shown = capsys.readouterr().err
    assert "test_command_line.py:" in shown
    assert "\x1b" not in shown


def test_a_reader_that_goes_away_is_no_error(commands: Commands) -> None:
    with subprocess.Popen([*COMMAND, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1.5h", 5400)])
def test_durations(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["90", "m", "-3m", "0s", "1d", "1h30m", "ten"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no duration"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize("before", [True, False])
def test_global_options_stand_before_or_after_the_command(tmp_path: Path, before: bool) -> None:
    options = ["--data-dir", str(tmp_path / "x"), "--json"]
    words = [*options, "db", "path"] if before else ["db", "path", *options]
    result = CliRunner().invoke(cli, words)
    assert json.loads(result.stdout) == {"database": str(tmp_path / "x" / "autotuner.db")}


def test_options_win_over_the_environment(tmp_path: Path) -> None:
    state = State(data_dir=str(tmp_path), database="other.db")
    assert (state.settings().data_dir, state.settings().database) == (tmp_path, "other.db")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_the_program(commands: Commands, shell: str) -> None:
    result = commands("completion", shell)
    assert result.exit_code == 0
    assert "_AUTOTUNER_COMPLETE" in result.stdout


def test_completion_completes(commands: Commands) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from autotuner.cli.main import main; main()"],
        env={**commands.env, "_AUTOTUNER_COMPLETE": "bash_complete", "COMP_WORDS": "autotuner re", "COMP_CWORD": "1"}
        | {"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["plain,results", "plain,report"]


def test_a_lazy_command_must_be_one() -> None:
    group = LazyGroup("group", lazy={"x": Lazy("os:sep", "", "")})
    with pytest.raises(TypeError, match="os:sep is no command"):
        group.get_command(click.Context(group), "x")


def test_doctor_tells_a_problem_from_a_warning(commands: Commands, tmp_path: Path) -> None:
    result = commands("doctor", "--json")
    assert result.exit_code == 0
    checks = {check["name"]: check for check in json.loads(result.stdout)}
    assert checks["database"]["state"] == "ok"
    assert not (tmp_path / "data").exists(), "doctor makes nothing"
    assert all(check["remedy"] for check in checks.values() if check["state"] != "ok")
    (tmp_path / "no.db").write_text("not a database, but long enough to be looked at")
    result = commands("doctor", "--database", str(tmp_path / "no.db"))
    assert result.exit_code == 2
    assert "Nothing can be run until this is mended: database" in result.stdout


def test_an_engine_and_its_parameters(commands: Commands) -> None:
    listed = json.loads(commands("engine", "list", "--json").stdout)
    assert listed[0]["name"] == "llamacpp"
    assert {"name", "version", "aliases", "parameters", "predicted", "remedy"} <= listed[0].keys()
    shown = json.loads(commands("engine", "show", "llamacpp", "--json").stdout)
    assert len(shown["parameters"]) == listed[0]["parameters"]
    one = json.loads(commands("engine", "show", "llamacpp", "--threads", "--json").stdout or "null")
    assert one is None, "an unknown option is not taken for a parameter"
    assert json.loads(commands("engine", "show", "llamacpp", "threads", "--json").stdout)["flag"] == "--threads"
    error = three_lines(commands("engine", "show", "llamacpp", "thread").stderr)
    assert "Did you mean 'threads'?" in error[2]


def test_the_schema_lists_what_is_installed(commands: Commands, tmp_path: Path) -> None:
    result = commands("schema", "-o", str(tmp_path / "sub" / "s.json"))
    assert result.exit_code == 0
    schema = json.loads((tmp_path / "sub" / "s.json").read_text())
    assert {"llamacpp", "simulated"} <= set(schema["properties"]["base_runtime"]["anyOf"][0]["enum"])
    assert json.loads(commands("schema").stdout) == schema


def test_database_commands(commands: Commands, tmp_path: Path) -> None:
    assert "no such file" in three_lines(commands("db", "check").stderr)[1]
    assert commands("db", "upgrade").exit_code == 0
    assert commands("db", "check").stdout == "The database is sound.\n"
    copy = tmp_path / "copy.db"
    assert commands("db", "backup", str(copy)).stdout == f"{copy}\n"
    assert three_lines(commands("db", "backup", str(copy)).stderr)[0] == f"Error: No backup was taken ({copy})"
    assert (
        commands("db", "check", "--database", str(copy), "--json").stdout == '{\n  "sound": true,\n  "faults": []\n}\n'
    )


def test_a_model_is_made_once(commands: Commands, tmp_path: Path) -> None:
    folder = str(tmp_path / "models")
    made = commands("model", "create", "tiny", "--type", "q8_0", "--out", folder)
    path = Path(made.stdout.strip())
    assert made.exit_code == 0
    assert path.read_bytes()[:4] == b"GGUF"
    before = path.stat().st_mtime_ns
    assert commands("model", "create", "--type", "q8_0", "--out", folder).stdout == made.stdout
    assert path.stat().st_mtime_ns == before
    assert "'q9'" in three_lines(commands("model", "create", "--type", "q9", "--out", folder).stderr)[0]


def test_the_mock_server_gets_its_options(commands: Commands) -> None:
    with subprocess.Popen(
        [*COMMAND, "mock-server", "--model", "pretended", "--ttft-s", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())
        assert address["base_url"].startswith("http://127.0.0.1:")
        assert address["pid"] == process.pid
        process.terminate()
        assert process.wait(timeout=30) == 0
    assert commands("mock-server", "--ttft-s", "-1").exit_code == 2
