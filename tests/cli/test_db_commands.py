"""`autotuner db copy`, `backup` and `restore`: what is printed, and wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_runner import Commands, three_lines


def test_a_store_is_copied_backed_up_and_restored(commands: Commands, tmp_path: Path) -> None:
    target, kept = str(tmp_path / "target.db"), str(tmp_path / "kept.db")
    assert commands("db", "upgrade").exit_code == 0
    assert commands("preset", "create", "own", "--set", "config.parallel_config.tp=[1, 2]").exit_code == 0
    copied = commands("db", "copy", "--to", target)
    assert f"Copied to {target}, read back and found equal." in copied.stdout
    again = commands("db", "copy", "--to", target)
    assert (again.exit_code, three_lines(again.stderr)[0]) == (2, f"Error: Nothing was copied ({target})")
    told = json.loads(commands("db", "copy", "--from", target, "--to", str(tmp_path / "second.db"), "--json").stdout)
    assert told["from"] == target
    assert {table["table"] for table in told["tables"]} >= {"tasks", "events", "parameter_presets"}
    assert commands("db", "backup", kept).stdout == f"{kept}\n"
    restored = json.loads(commands("db", "restore", kept, "--replace", "--json").stdout)
    assert restored["tasks"] == 0
    assert Path(restored["backup"]).is_file()
    assert "own" in commands("preset", "list").stdout


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("copy",), "Missing option '--to'"),
        (("copy", "--to", ""), "Cannot tell where the store is"),
        (("copy", "--to", "mysql://h/d"), "Cannot tell where the store is"),
        (("copy", "--from", "none.db", "--to", "x.db"), "Cannot find the store"),
        (("copy", "--to", "postgresql://me@127.0.0.1:1/none"), "Cannot use the store"),
        (("copy", "--to", "/proc/x.db"), "Cannot use the store"),
        (("restore",), "Missing argument 'FILE'"),
        (("restore", "none.db"), "There is no such backup"),
        (("restore", "/proc"), "There is no such backup"),
        (("path", "--database", ""), "Invalid value for '--database': it is empty."),
    ],
)
def test_wrong_input_is_refused(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert commands("db", "upgrade").exit_code == 0
    done = commands("db", *words)
    assert done.exit_code == 2
    assert f"Error: {what}" in done.stderr
    assert "What to do: " in done.stderr
    assert not (tmp_path / "x.db").exists()
