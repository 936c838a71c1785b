"""The file of one preset: ``{"version": "1.0", "preset": {…}}``."""

from __future__ import annotations

import json
from collections.abc import Mapping

from autotuner.config.problems import DocumentError
from autotuner.config.text import MAX_BYTES, read
from autotuner.contracts.presets import PresetContent
from autotuner.presets.content import Faults, kind_of, read_content, to_data

VERSION = "1.0"
INVALID_FILE = "Import validation failed"


def file_name(slug: str) -> str:
    """What an exported preset is called: ``preset-<slug>.json``."""
    return f"preset-{slug}.json"


def dump_preset(content: PresetContent) -> str:
    """The JSON file of a preset; ``parse_preset`` makes equal content of it."""
    return json.dumps({"version": VERSION, "preset": to_data(content)}, indent=2, ensure_ascii=False) + "\n"


def parse_preset(raw: bytes) -> PresetContent:
    """The content of a file (JSON, or the same as YAML).

    AutotunerError(INVALID_VALUE, "Import validation failed") whose ``place`` is the field: a file over 1 MiB, text that
    is not JSON, something that is no object, no version or preset, an unknown version, a parameter that is not an
    array, and everything that ``read_content`` finds.
    """
    faults = Faults(INVALID_FILE)
    if len(raw) > MAX_BYTES:
        faults.add(
            "file", f"it has {len(raw)} bytes, and {MAX_BYTES} (1 MiB) are the limit", "Export presets one by one"
        )
    faults.raise_if_any()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.add("file", f"byte {error.start} is not UTF-8", "Give a JSON file")
    faults.raise_if_any()
    try:
        data = read(text, name="the file")
    except DocumentError as error:
        for problem in error.problems:
            faults.add("file", f"{problem.place}: {problem.why}" if problem.place else problem.why, problem.remedy)
    faults.raise_if_any()
    return read_file(data)


def read_file(data: object) -> PresetContent:
    """The content of a file that is parsed already. AutotunerError as for ``parse_preset``."""
    faults = Faults(INVALID_FILE)
    if not isinstance(data, Mapping):
        faults.add("file", f"it is {kind_of(data)} and not an object", 'Write {"version": "1.0", "preset": {…}}')
        faults.raise_if_any()
    given = data if isinstance(data, Mapping) else {}
    version, preset = given.get("version"), given.get("preset")
    if version is None:
        faults.add("version", "it has no version", f'Write "version": "{VERSION}"')
    elif version != VERSION or not isinstance(version, str):
        faults.add("version", f"the version {version!r:.40} is not known, only {VERSION!r} is", "Export it again")
    if preset is None:
        faults.add("preset", "it has no preset", 'Write "preset": {"name": …, "parameters": {…}}')
    for key in given:
        if key not in ("version", "preset"):
            faults.add(str(key), "it is not a key of such a file", "Keep version and preset")
    faults.raise_if_any()
    return read_content(preset, what=INVALID_FILE, prefix="preset")
