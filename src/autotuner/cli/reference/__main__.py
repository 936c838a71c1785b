"""Write the reference: ``python -m autotuner.cli.reference docs/reference`` (``make reference``)."""

from __future__ import annotations

import sys
from pathlib import Path

from autotuner.cli.reference import pages

FOLDER = "docs/reference"


def write(folder: Path) -> None:
    """Write every page into the folder; pages that are not generated any more go."""
    written = pages()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    for old in (*folder.glob("engine-*.md"), *folder.glob("catalogue-*.md")):
        if old.name not in written:
            old.unlink()


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else FOLDER))
