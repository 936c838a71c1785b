"""Write the catalogues: ``python -m autotuner.engines.catalogue_source`` (``make catalogues``)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autotuner.engines.catalogue_source.making import ENGINES, made
from autotuner.engines.catalogue_source.static import UnknownError
from autotuner.engines.catalogue_source.wheels import WheelError
from autotuner.engines.catalogues.shelf import as_text, file_name

FOLDER = Path(__file__).resolve().parents[1] / "catalogues"
CACHE = Path.home() / ".cache" / "inference-autotuner" / "wheels"


def main(arguments: list[str] | None = None) -> int:
    """Make the catalogues of all engines or of some. Exit codes: 0, 2 when a package cannot be had or read."""
    parser = argparse.ArgumentParser(prog="catalogue_source", allow_abbrev=False, description=__doc__)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"of {', '.join(ENGINES)}; none: all")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of downloaded packages")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder to write to")
    options = parser.parse_args(arguments)
    unknown = set(options.engines) - set(ENGINES)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there is {', '.join(ENGINES)}")
    options.output.mkdir(parents=True, exist_ok=True)
    for engine in options.engines or ENGINES:
        try:
            catalogues = made(engine, options.cache)
        except (WheelError, UnknownError) as error:
            print(f"{engine}: {error}", file=sys.stderr)  # noqa: T201
            return 2
        for catalogue in catalogues:
            place = options.output / file_name(catalogue.engine, catalogue.version)
            place.write_text(as_text(catalogue), encoding="utf-8")
            print(f"{place.name}: {len(catalogue.parameters)} parameters")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
