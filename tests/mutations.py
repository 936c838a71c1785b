"""Files changed by chance: in their text, and in their values."""

from __future__ import annotations

import copy
import random
from typing import Any

import yaml

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 4096, 4097, 10**9, 2**63, -(2**63), 1.5, 1e308, float("inf"), float("nan"),
    "", " ", "0", "true", "null", "a" * 300, "../../etc/passwd", "agg", "disagg", "afd", "fp8_block", "float16",
    "x/y/z", "é\u2028", [], [[]], [1, 2, 4], [1, "2"], list(range(70)), {}, {"a": {"b": []}}, [None], {"tp": 1},
    {"tp_list": [1]},
)  # fmt: skip
WORDS = (
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "&a ",
    "*a",
    "!!int ",
    "\t",
    "\0",
    ",",
    '"',
    "'",
    "|",
    "#",
    "null",
    "9" * 30,
    "é",
)


def mutated_text(text: str, rng: random.Random) -> str:
    """A few changes of lines and characters."""
    for _ in range(rng.randint(1, 4)):
        lines = text.split("\n")
        where = rng.randrange(len(lines))
        match rng.randrange(7):
            case 0:
                del lines[where]
            case 1:
                lines.insert(where, rng.choice(lines))
            case 2:
                other = rng.randrange(len(lines))
                lines[where], lines[other] = lines[other], lines[where]
            case 3:
                at = rng.randint(0, len(lines[where]))
                lines[where] = lines[where][:at] + rng.choice(WORDS) + lines[where][at:]
            case 4:
                at = rng.randint(0, len(lines[where]))
                lines[where] = lines[where][:at] + lines[where][at + rng.randint(1, 8) :]
            case 5:
                lines[where] = "  " * rng.randint(0, 3) + lines[where].strip()
            case _:
                lines = lines[: where + 1]
        text = "\n".join(lines)
    return text


def mutated_data(data: Any, rng: random.Random) -> Any:
    """A few values, keys and blocks replaced, moved or taken out."""
    data = copy.deepcopy(data)
    for _ in range(rng.randint(1, 5)):
        places = list(_places(data))
        if not places:
            break
        holder, key = rng.choice(places)
        match rng.randrange(5):
            case 0 | 1:
                holder[key] = copy.deepcopy(rng.choice(NASTY))
            case 2:
                del holder[key]
            case 3 if isinstance(holder, dict):
                other, name = rng.choice(places)
                value = copy.deepcopy(other[name])
                holder[str(name)] = value
            case _ if isinstance(holder, dict):
                holder[
                    rng.choice(("tp", "mode", "config", "params", "exps", "worker_config", "profiles", "slo", "x"))
                ] = holder[key]
            case _:
                holder[key] = copy.deepcopy(rng.choice(NASTY))
    return data


def mutated(text: str, data: Any, rng: random.Random) -> str:
    """A changed file: half of them by their text. ``data``: what the text holds; None: only its text can be changed."""
    if data is None or rng.random() < 0.5:
        return mutated_text(text, rng)
    return yaml.dump(mutated_data(data, rng), Dumper=yaml.CSafeDumper, allow_unicode=True)


def _places(data: Any) -> Any:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(items):
        yield data, key
        yield from _places(value)
