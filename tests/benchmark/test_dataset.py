"""Datasets: what is read, and which line is blamed for what cannot be."""

from __future__ import annotations

import csv
import io
import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.benchmark.dataset import Row, content_of, describe, endless, read_rows
from autotuner.contracts.errors import AutotunerError, ErrorCode

JSONL, CSV = Path("requests.jsonl"), Path("requests.csv")
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
ROWS = st.lists(st.tuples(TEXT, st.integers(1, 10_000_000)), min_size=1, max_size=8)


def jsonl(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def comma_separated(rows: list[list[object]]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()


def refused(content: bytes, path: Path = JSONL) -> str:
    with pytest.raises(AutotunerError) as caught:
        list(read_rows(content, path))
    assert caught.value.code is ErrorCode.INVALID_VALUE
    assert path.name in caught.value.what
    return caught.value.why


@settings(deadline=None)
@given(ROWS, st.booleans())
def test_both_kinds_of_file_hold_the_same(rows: list[tuple[str, int]], timed: bool) -> None:
    times = [1000.5 + 0.25 * number for number in range(len(rows))]
    wanted = [Row(p, n, t - 1000.5 if timed else None) for (p, n), t in zip(rows, times, strict=True)]
    lines = jsonl(
        *(
            {"prompt": p, "output_tokens": n, "other": [1], **({"timestamp": t} if timed else {})}
            for (p, n), t in zip(rows, times, strict=True)
        )
    )
    assert list(read_rows(lines, JSONL)) == wanted
    table: list[list[object]] = [["output_tokens", "prompt", *(["timestamp"] if timed else [])]]
    table += [[n, p, *([t] if timed else [])] for (p, n), t in zip(rows, times, strict=True)]
    assert list(read_rows(comma_separated(table), CSV)) == wanted


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([JSONL, CSV]),
    st.binary(max_size=200)
    | st.text('{}[]",:\n\r 0123456789eE+-.NaInfinityprompt_outkesm', max_size=120).map(str.encode)
    | st.builds(
        lambda head, tail: head + tail,
        st.sampled_from([b'{"prompt": "a", "output_tokens": 1}\n', b"prompt,output_tokens\na,1\n"]),
        st.binary(max_size=80),
    ),
)
def test_anything_is_read_or_refused_with_a_sentence(path: Path, content: bytes) -> None:
    try:
        rows = list(read_rows(content, path))
    except AutotunerError as error:
        assert error.code is ErrorCode.INVALID_VALUE
        assert error.why
        assert error.remedy
    else:
        assert all(row.prompt and row.output_tokens >= 1 for row in rows)


GOOD = {"prompt": "a", "output_tokens": 1}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"prompt": "a"}, "no output_tokens"),
        ({"text": "a", "output_tokens": 1}, "no prompt, only output_tokens, text"),
        ({**GOOD, "output_tokens": 0}, "output_tokens is 0"),
        ({**GOOD, "output_tokens": 1.5}, "output_tokens is 1.5"),
        ({**GOOD, "output_tokens": True}, "output_tokens is True"),
        ({**GOOD, "output_tokens": "many"}, "output_tokens is 'many'"),
        ({**GOOD, "prompt": ""}, "prompt is empty"),
        ({**GOOD, "prompt": ["a"]}, "prompt is ['a']"),
        ({**GOOD, "timestamp": 1}, "this one differs"),
    ],
)
def test_the_line_is_named(row: dict[str, Any], why: str) -> None:
    found = refused(jsonl(GOOD, GOOD, row))
    assert "line 3" in found
    assert why in found


def test_times_are_seconds_or_dates_and_never_go_back() -> None:
    dates = ["2025-01-01T00:00:00Z", "2025-01-01T01:00:01+01:00", "2025-01-01 00:00:02.5"]
    rows = read_rows(jsonl(*({**GOOD, "timestamp": date} for date in dates)), JSONL)
    assert [row.at for row in rows] == [0.0, 1.0, 2.5]
    assert "line 2" in refused(jsonl({**GOOD, "timestamp": 5}, {**GOOD, "timestamp": 4.9}))
    for wrong in (float("nan"), float("inf"), "soon", True, 1e300):
        assert "neither seconds nor" in refused(jsonl({**GOOD, "timestamp": wrong}))


def test_other_faults_of_a_file() -> None:
    assert "line 2 is no JSON" in refused(jsonl(GOOD) + b"{")
    assert "line 1 is no JSON object" in refused(b"[1]\n")
    assert "line 2 is not UTF-8" in refused(jsonl(GOOD) + b"\xff\n")
    assert "'.txt'" in refused(b"", Path("requests.txt"))
    assert "line 3 has 3 values" in refused(b"prompt,output_tokens\na,1\nb,c,1\n", CSV)
    assert "no output_tokens, only prompt" in refused(b"prompt\na\n", CSV)
    assert "line 2" in refused(b'prompt,output_tokens\n"a,1\n', CSV)
    # A prompt in quotes may hold line ends; the line that is named is the one where the record ends.
    assert "line 4" in refused(b'prompt,output_tokens\n"a\nb",1\n"c",x\n', CSV)


def test_a_file_is_described_and_its_change_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + jsonl(*({"prompt": "x" * n, "output_tokens": 2 * n} for n in (8, 1, 3))))
    found = describe(path)
    assert (found.requests, found.duration_s, found.period_s) == (3, None, None)
    assert found.prompt_characters.model_dump() == {"least": 1, "median": 3, "mean": 4.0, "greatest": 8}
    assert found.output_tokens.greatest == 16
    assert found.longest_request == 4 + 16
    again = [row.output_tokens for row in islice(endless(content_of(found), path, 2), 5)]
    assert again == [6, 16, 2, 6, 16]
    path.write_bytes(jsonl(GOOD))
    with pytest.raises(AutotunerError, match="has changed since"):
        content_of(found)
    assert describe(path).sha256 != found.sha256


def test_a_missing_or_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AutotunerError) as caught:
        describe(tmp_path / "nowhere.jsonl")
    assert caught.value.code is ErrorCode.MISSING_FILE
    with pytest.raises(AutotunerError) as caught:
        describe(tmp_path)
    for empty in ("a.jsonl", "a.csv"):
        (tmp_path / empty).write_text("\n")
        with pytest.raises(AutotunerError, match=r"holds no requests|no prompt"):
            describe(tmp_path / empty)


def test_a_replay_repeats_at_its_own_rate(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    path.write_bytes(comma_separated([["prompt", "output_tokens", "timestamp"], *(["a", 1, t] for t in (10, 11, 14))]))
    found = describe(path)
    assert found.duration_s == 4.0
    assert found.period_s == 6.0
