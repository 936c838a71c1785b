"""The prompts: a set of ours, or a file of the user's."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.quality import OUTPUT_TOKENS, PromptSet
from autotuner.contracts.values import digest

BUILT_IN: tuple[str, ...] = (
    "The capital of Portugal is",
    "Water boils at sea level at a temperature of",
    "The chemical symbol of gold is Au, that of silver is Ag, and that of iron is",
    "The planets of the solar system in the order of their distance from the sun are Mercury, Venus,",
    "Question: How many minutes are there in three and a half hours?\nAnswer:",
    "Question: A train leaves at 9:40 and arrives at 12:15. How long is the journey?\nAnswer: The journey takes",
    "17 + 25 = 42\n38 + 46 = 84\n59 + 27 =",
    "The first prime numbers are 2, 3, 5, 7, 11, 13,",
    "If all roses are flowers and some flowers fade quickly, then it is certain that",
    "Anna is taller than Ben. Ben is taller than Clara. The shortest of the three is",
    "def factorial(n):\n    if n <= 1:\n        return 1\n    return",
    "# Read a file and count how often each word occurs\nfrom collections import Counter\n\nwith open(path) as f:\n",
    "SELECT name, COUNT(*) FROM orders JOIN customers ON",
    "for (int i = 0; i < length; i++) {\n    if (values[i] > largest) {\n",
    '{"name": "Maria", "age": 34, "languages": ["Spanish", "English"],',
    "To list all files of a folder with their sizes on Linux, run the command",
    "English: Good morning!\nFrench: Bonjour !\nEnglish: Where is the railway station?\nFrench:",
    "Translate into German: The book lies on the table.\nTranslation: Das Buch",
    "Review: The food was cold.\nSentiment: negative\nReview: A wonderful evening, we will come back.\nSentiment:",
    "Dear Mr Novak,\n\nthank you for your letter of 3 March. Unfortunately we have to tell you that",
    "Recipe for pancakes\n\nIngredients: 200 g of flour, 2 eggs, 300 ml of milk, a pinch of salt\n\n1. Put the flour",
    "Once upon a time, in a village at the edge of a great forest, there lived an old clockmaker who",
    "The rain had stopped an hour ago, and the streets of the harbour town were shining. She closed the door,",
    "Summary of the meeting: The team agreed to move the release by two weeks. The main reason was",
    "User: My computer does not start any more. What can I do?\nAssistant: First, check whether",
    "User: Explain in one sentence what a database index is.\nAssistant: A database index is",
    "Advantages of a bicycle over a car in a city:\n1. It needs less space.\n2. It is cheaper.\n3.",
    "The opposite of hot is cold. The opposite of early is late. The opposite of generous is",
    "In the year 1969 two people walked on the moon for the first time. Their names were",
    "Photosynthesis is the process by which plants use light in order to",
    "The law of supply and demand says that when the supply of a good falls and the demand stays the same, its price",
    "To be read aloud: the year 1848 is eighteen forty-eight, the year 1905 is nineteen oh-five, the year 1776 is",
)
"""Facts, arithmetic, reasoning, code, data, translation, letters, stories, dialogues. Whoever changes one makes the
stored answers of running tasks incomparable, which their hash then says."""

MAX_PROMPTS = 500
MAX_BYTES = 8 * 2**20
BYTES_PER_TOKEN = 2
"""Cautious: English text has about four."""

PLACE = "quality.prompts"


def describe_prompts(path: str | None) -> PromptSet:
    """The built-in set, or that of a file; a relative path counts from the current folder.

    AutotunerError: MISSING_FILE, INVALID_VALUE (with the number of the line) for a file that cannot be used. Reads it.
    """
    place = None if path is None else Path(path).expanduser().resolve()
    prompts = BUILT_IN if place is None else tuple(_read(place))
    longest = max(len(prompt.encode(errors="surrogatepass")) for prompt in prompts)
    return PromptSet(
        path=None if place is None else str(place),
        sha256=digest(list(prompts)),
        prompts=len(prompts),
        longest_request=math.ceil(longest / BYTES_PER_TOKEN) + OUTPUT_TOKENS,
    )


def prompts_of(described: PromptSet) -> tuple[str, ...]:
    """The prompts of a described set. AutotunerError: MISSING_FILE, INVALID_VALUE if they are others now."""
    prompts = BUILT_IN if described.path is None else tuple(_read(Path(described.path)))
    if digest(list(prompts)) != described.sha256:
        what = "the built-in prompts" if described.path is None else f"the prompts of {Path(described.path).name}"
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            f"{what} are not those of the plan",
            why="answers to different prompts cannot be compared",
            remedy="Run the task again with --new",
            place=PLACE,
        )
    return prompts


def _read(path: Path) -> Iterator[str]:
    """The prompts of a file with a JSON object per line."""
    if path.suffix.lower() != ".jsonl":
        raise _unusable(path, "its name does not end with .jsonl", "Write one JSON object with the key prompt per line")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise AutotunerError(
            ErrorCode.MISSING_FILE,
            f"the prompts {path.name} cannot be read",
            why=error.strerror or str(error),
            remedy="Correct the path; a relative one counts from the current folder",
            place=PLACE,
        ) from error
    if len(content) > MAX_BYTES:
        raise _unusable(path, f"it has more than {MAX_BYTES} bytes", "Keep fewer or shorter prompts")
    found = 0
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _unusable(path, f"line {number} is not JSON", "Write one JSON object per line") from error
        prompt = entry.get("prompt") if isinstance(entry, dict) else None
        if not isinstance(prompt, str) or not prompt:
            raise _unusable(path, f"line {number} has no text under the key prompt", 'Write {"prompt": "…"}')
        found += 1
        if found > MAX_PROMPTS:
            raise _unusable(path, f"it has more than {MAX_PROMPTS} prompts", "Keep fewer of them")
        yield prompt
    if not found:
        raise _unusable(path, "it holds no prompts", 'Give a file with lines such as {"prompt": "…"}')


def _unusable(path: Path, why: str, remedy: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.INVALID_VALUE, f"the prompts {path.name} cannot be used", why=why, remedy=remedy, place=PLACE
    )
