"""The commands of the guide to databases, in its order, on a real PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path

from documented import ROOT, commands

GUIDE = ROOT / "docs" / "guide" / "databases.md"
ADDRESS = "postgresql://user@host/autotuner"


def test_the_guide_to_databases_works(tmp_path: Path, postgres_url: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOTUNER_", "XDG_"))}
    env = {**kept, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = [sys.executable, "-m", "autotuner"]
    subprocess.run([*run, "preset", "list"], cwd=tmp_path, env=env, check=True, capture_output=True, timeout=60)
    found = list(commands(GUIDE.read_text(encoding="utf-8"), "databases.md"))
    assert len(found) > 8
    for command in found:
        variables = dict(pair.split("=", 1) for pair in command.variables)
        ran = subprocess.run(
            [*run, *(word.replace(ADDRESS, postgres_url) for word in command.words)],
            cwd=tmp_path,
            env={**env, **{name: value.replace(ADDRESS, postgres_url) for name, value in variables.items()}},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ran.returncode == 0, f"{command}: {ran.stderr}"
        assert ran.stdout.strip()
