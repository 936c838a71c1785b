"""``autotuner export --format archive`` and ``autotuner import ARCHIVE``."""

import json
from pathlib import Path

from command_runner import Commands, three_lines


def test_a_task_moves_to_another_data_folder(commands: Commands, tmp_path: Path) -> None:
    small = ("--set", "optimization.max_iterations=2", "--set", "optimization.confirm.top_k=0")
    assert commands("demo", *small).exit_code == 0
    archive = str(tmp_path / "files" / "demo.zip")
    told = json.loads(commands("export", "demo", "--format", "archive", "-o", archive, "--json").stdout)
    assert told["path"] == archive
    assert told["bytes"] == Path(archive).stat().st_size
    assert list(Path(archive).parent.iterdir()) == [Path(archive)]
    elsewhere = Commands(tmp_path / "elsewhere")
    done = elsewhere("import", archive)
    assert (done.exit_code, done.stdout.split(":")[0]) == (0, "demo")
    again = elsewhere("import", archive)
    assert again.stdout.startswith("demo-2: task 2, completed")
    assert "already" in again.stderr
    refused = elsewhere("import", archive, "--on-conflict", "refuse")
    assert refused.exit_code == 2
    assert three_lines(refused.stderr)
    before = json.loads(commands("results", "demo", "--json").stdout)
    after = json.loads(elsewhere("results", "demo", "--json").stdout)
    assert before["headline"] == after["headline"]
    assert [e["score"] for e in before["experiments"]] == [e["score"] for e in after["experiments"]]


def test_what_is_no_archive_is_told(commands: Commands, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"PK\x03\x04" + bytes(100))
    refused = commands("import", str(bad))
    assert refused.exit_code == 2
    assert str(bad) in refused.stderr
    assert commands("import", str(bad), "--row", "2").exit_code == 2
    assert commands("import", "gone.yaml", "--on-conflict", "refuse").exit_code == 2
    assert commands("export", "gone", "--format", "archive").exit_code == 2
    assert commands("export", "gone", "--format", "archive", "--flat").exit_code == 2
