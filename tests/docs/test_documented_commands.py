"""Every command in README.md and docs/guide exists, and those that need nothing of the user's work."""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import yaml
from documented import ROOT, Command, blocks, commands, documented_commands, guides

from autotuner.cli.main import cli
from autotuner.config.load import validate

ALL = documented_commands()
OUTPUT_OPTIONS = ("-o", "--output", "--report", "--out")
USERS_FILES = {
    "task.yaml",
    "imported.yaml",
    "preset-team-a.json",
    "model.gguf",
    "/path/to/model.gguf",
    "/path/to/environment",
    "backup.db",
    "postgres.db",
    "tasks.db",
}
"""Files of the reader, which the documents only stand in for."""
LOOKS_LIKE_A_FILE = re.compile(r"[\w./-]+\.(yaml|yml|json|gguf|md|py|html|sh|csv|db)|[\w.-]+/[\w./-]+")

# A whole task of four configurations, so that experiments 0 to 3 exist.
SMALL = """
model: {id_or_path: "tiny:q4_0"}
parameters: {n_ubatch: [16, 32, 64], threads: 1, threads_batch: 1}
optimization: {objective: maximize_throughput, max_iterations: 3, confirm: {top_k: 1, starts: 2}}
benchmark:
  traffic_scenarios: ["D(32,16)"]
  num_concurrency: [1]
  max_time_per_iteration: 1
  min_requests: 5
  warmup_requests: 2
"""


def parsed(words: tuple[str, ...]) -> click.Context:
    """The command that the words name, with its options read; click's own error when it would be refused."""
    command: click.Command = cli
    # With its own settings: click keeps the help option that it makes for the first context.
    context = click.Context(cli, info_name="autotuner", **cli.context_settings)
    left = list(words)
    while isinstance(command, click.Group):
        if not left or left[0].startswith("-"):
            raise click.UsageError(f"{context.command_path} names no command")
        name, command_found, left = command.resolve_command(context, left)
        assert command_found is not None
        command = command_found
        if not isinstance(command, click.Group):
            return command.make_context(name, left, parent=context)
        context = click.Context(command, info_name=name, parent=context, **command.context_settings)
    raise AssertionError("unreachable")


def make_names() -> tuple[set[str], set[str]]:
    """Targets and variables of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))
    return targets, set(re.findall(r"^([A-Z]+)\s*[?:]?=", text, re.MULTILINE))


def fault(command: Command) -> str | None:
    """Why a documented command cannot be right."""
    if command.name == "make":
        targets, variables = make_names()
        for word in command.words:
            name, equals, _ = word.partition("=")
            if name not in (variables if equals else targets):
                return f"no {word} in the Makefile"
        return None
    try:
        parsed(command.words)
    except click.ClickException as error:
        return error.format_message()
    for before, word in zip(("", *command.words), command.words, strict=False):
        is_file = LOOKS_LIKE_A_FILE.fullmatch(word) and before not in (*OUTPUT_OPTIONS, "--set")
        if is_file and word not in USERS_FILES and not (ROOT / word).exists():
            return f"no file {word}"
    return None


@pytest.mark.parametrize("command", ALL, ids=str)
def test_a_documented_command_exists(command: Command) -> None:
    assert fault(command) is None


def test_commands_are_found_in_each_guide_that_has_some() -> None:
    places = {command.place.split(":")[0] for command in ALL}
    assert {"docs/guide/first-task.md", "docs/guide/command-line.md"} <= places
    assert len(ALL) > 25


@pytest.mark.parametrize(
    "line",
    [
        "    autotuner rnu x",
        "    autotuner doctor --everything",
        "    autotuner",
        "    autotuner compare demo",
        "    autotuner plan examples/nowhere.yaml",
        "    autotuner mock-server --no-such-option 1",
        "    make nothing",
        "    make quickstart NOTHING=1",
        "```sh\n$ .venv-run/bin/autotuner engine shwo x   # comment\n```",
        "```\nX=1 autotuner results \\\n  --no-such\n```",
    ],
)
def test_a_wrong_command_is_found(line: str) -> None:
    (command,) = commands(line, "x.md")
    assert fault(command) is not None


def test_explanations_are_no_part_of_a_command() -> None:
    found = list(
        commands("    autotuner demo    a search\n\n    A=b autotuner results # again\n    autotuner: no\n", "x")
    )
    assert [(c.words, c.variables) for c in found] == [(("demo",), ()), (("results",), ("A=b",))]


@pytest.mark.parametrize("path", guides(), ids=lambda path: path.name)
def test_yaml_in_a_guide_is_part_of_a_task(path: Path) -> None:
    for language, first, lines in blocks(path.read_text(encoding="utf-8")):
        if language == "yaml":
            data = yaml.safe_load("\n".join(lines))
            validate({"model": {"id_or_path": "tiny"}, **data}, name=f"{path.name}:{first}")


# ---- really run


@dataclass(frozen=True)
class Home:
    """A user's home with one finished task, called task."""

    folder: Path
    env: Mapping[str, str]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "autotuner", *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / "task.yaml").write_text(SMALL, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOTUNER_", "XDG_"))}
    made = Home(folder, {**kept, "HOME": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
    ran = made.run("run", "task.yaml")
    assert ran.returncode == 0, ran.stderr
    return made


def runs_by_itself(command: Command) -> bool:
    """Quick, ends, and needs nothing but the finished task of ``home`` (no network, no client of its own)."""
    if command.name != "autotuner" or command.variables or fault(command) is not None:
        return False
    if command.place.startswith("docs/guide/databases.md"):  # run in its order by a test of its own
        return False
    if command.words[0] != "import" and "imported.yaml" in command.words:
        return False
    if any(name in " ".join(command.words) for name in ("model.gguf", "/path/to/environment")):
        return False
    if command.words[0] == "run":
        return command.words == ("run", "task.yaml")
    lasting = ("mock-server", "serve", "worker")
    return command.words[0] not in ("quick", "verify", *lasting) and command.words[:2] != ("client", "install")


MOCKS = list({command.words: command for command in ALL if command.words[:1] == ("mock-server",)}.values())
RUN = list({command.words: command for command in ALL if runs_by_itself(command)}.values())


def test_most_documented_commands_are_run() -> None:
    kinds = {command.words[0] for command in RUN}
    assert {"doctor", "demo", "plan", "run", "results", "compare", "report", "deploy", "schema", "engine"} <= kinds


PAGES = {
    page: [command for command in RUN if command.place.split(":")[0] == page]
    for page in dict.fromkeys(command.place.split(":")[0] for command in RUN)
}


@pytest.mark.engine
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_work(home: Home, page: str) -> None:
    """In their order: one may read what the one before has written."""
    for command in PAGES[page]:
        run_documented(home, command)


def run_documented(home: Home, command: Command) -> None:
    ran = home.run(*command.words)
    assert ran.returncode == 0, f"{command}: {ran.stderr}"
    assert ran.stdout.strip(), command
    for option, word in zip(command.words, command.words[1:], strict=False):
        if option in OUTPUT_OPTIONS:
            assert (home.folder / word).stat().st_size > 0
    if command.words[0] != "demo":
        return
    # What follows is said of the newest task, so the demonstration leaves.
    assert home.run("task", "delete", "demo").returncode == 0


def test_mock_servers_are_documented() -> None:
    assert len(MOCKS) > 10


@pytest.mark.parametrize("command", MOCKS, ids=str)
def test_a_documented_mock_server_answers(tmp_path: Path, command: Command) -> None:
    """At any free port, wherever the document puts it."""
    for name in ("cert.pem", "key.pem"):
        shutil.copy(ROOT / "tests" / "data" / "tls" / name, tmp_path)
    words = [sys.executable, "-m", "autotuner", *command.words, "--port", "0"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(words, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = json.loads(server.stdout.readline())["base_url"]
        trusting = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        with urllib.request.urlopen(f"{address}/health", context=trusting) as answer:  # noqa: S310 - its own address
            assert answer.status == 200
        server.terminate()
        assert json.loads(server.stdout.readline())["requests"] == 0
        assert server.wait() == 0
