"""The reader of Prometheus' text format: what is written is read, and nothing raises."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from autotuner.telemetry.exposition import Series, parse

NAMES = ("a", "b_total", "x:y_bucket", "_z")
WANTED = frozenset(NAMES[:2])

label_names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True)
values = st.floats(allow_nan=True, allow_infinity=True)
series = st.builds(
    Series,
    name=st.sampled_from(NAMES),
    value=values,
    # Anything may stand in a label's value: quotes, backslashes, line feeds, braces, every script.
    labels=st.dictionaries(label_names, st.text(st.characters(codec="utf-8"), max_size=12), max_size=4),
)


def number(value: float) -> str:
    """As Prometheus' clients write it."""
    if math.isnan(value):
        return "NaN"
    return ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else repr(value)


def line(entry: Series, after: str = "") -> str:
    escaped = {key: v.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') for key, v in entry.labels.items()}
    labels = ",".join(f'{key}="{value}"' for key, value in escaped.items())
    return entry.name + (f"{{{labels}}}" if labels else "") + f" {number(entry.value)}{after}"


def same(one: Series, other: Series) -> bool:
    equal = one.value == other.value or (math.isnan(one.value) and math.isnan(other.value))
    return equal and (one.name, one.labels) == (other.name, other.labels)


@given(st.lists(st.tuples(series, st.sampled_from(["", " 1795628111000", ' # {trace="x"} 1.0']))))
def test_what_is_written_is_read_and_only_what_is_wanted(entries: list[tuple[Series, str]]) -> None:
    page = "\n".join(["# HELP a text", "# TYPE a gauge", "", *(line(entry, after) for entry, after in entries), ""])
    found = list(parse(page.encode(), WANTED))
    expected = [entry for entry, _ in entries if entry.name in WANTED]
    assert len(found) == len(expected)
    assert all(map(same, found, expected))


@given(st.binary(max_size=300) | st.text(alphabet='a{}",\\= 1.e+\n#', max_size=80).map(str.encode))
def test_garbage_never_raises(page: bytes) -> None:
    assert all(entry.name == "a" for entry in parse(page, frozenset({"a"})))


@given(series.filter(lambda entry: entry.name in WANTED), st.data())
def test_a_line_that_is_cut_off_is_no_other_series(entry: Series, data: st.DataObject) -> None:
    """Cut inside the name or the labels it is left out; cut inside the value it can't be told from a shorter one."""
    text = line(entry)
    cut = data.draw(st.integers(0, len(text) - len(number(entry.value)) - 1))
    assert list(parse(text[:cut].encode(), WANTED)) == []


def test_lines_that_break_the_format_are_left_out() -> None:
    broken = [
        "a",
        "a 1_000",
        "a 0x10",
        "a 1.2.3",
        "a one",
        "a=1",
        'a{x="1" 2',
        'a{x="1"y="2"} 3',
        "a{x=1} 2",
        'a{"x"} 2',
        "a{ 2",
        "ab 1",
        " a 1",
    ]
    assert list(parse("\n".join([*broken, "a 7"]).encode(), frozenset({"a"}))) == [Series("a", 7.0)]
    odd = 'a{} 1\r\na{x="1",} 2\na{ x = "}" } 3\na\t4\na -.5e-3'
    assert [entry.value for entry in parse(odd.encode(), frozenset({"a"}))] == [1.0, 2.0, 3.0, 4.0, -0.0005]


def test_long_hostile_lines_take_linear_time() -> None:
    """Each of these would keep a backtracking pattern busy for ever."""
    size = 200_000
    for text in (
        'a{x="' + "\\" * size,
        "a{" + 'x="1",' * (size // 6),
        "a " + "1" * size + "x",
        "a{" + " " * size,
        "a{" + "}" * size,
    ):
        assert list(parse(text.encode(), frozenset({"a"}))) == []
