"""The notation of traffic."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.config.scenario import parse_traffic, split_scenarios
from autotuner.contracts.errors import AutotunerError, ErrorCode

TOKENS = st.integers(1, 100_000)
SIZES = st.floats(1, 1e6) | TOKENS.map(float)
FIXED = st.builds("D({},{})".format, TOKENS, TOKENS)
NORMAL = st.builds("N({},{})/({},{})".format, SIZES, st.floats(0, 1e5), SIZES, st.floats(0, 1e5))
UNIFORM = st.tuples(TOKENS, TOKENS, TOKENS, TOKENS).map(
    lambda t: f"U({min(t[:2])},{max(t[:2])})/({min(t[2:])},{max(t[2:])})"
)
PREFIX = st.builds("P({},{})/{}".format, TOKENS, TOKENS, TOKENS)
ALONE = FIXED | NORMAL | UNIFORM | PREFIX
TALK = st.builds("{}x{}".format, ALONE, st.integers(1, 1000))
SINGLE = ALONE | TALK | st.just("dataset")
MIXTURE = st.lists(st.builds("{}*{}".format, st.floats(1e-9, 1e6), SINGLE), min_size=1, max_size=4).map("+".join)


@settings(deadline=None)
@given(SINGLE | MIXTURE)
def test_the_canonical_text_means_the_same(text: str) -> None:
    traffic = parse_traffic(text)
    again = parse_traffic(traffic.text)
    assert again == traffic


@settings(deadline=None)
@given(st.lists(SINGLE | MIXTURE, min_size=1, max_size=5))
def test_lists_split_only_outside_parentheses(texts: list[str]) -> None:
    assert list(split_scenarios(",".join(texts))) == texts
    assert list(split_scenarios(" , ".join(texts).split(","))) == texts  # as unquoted YAML cuts them


@settings(deadline=None)
@given(st.text() | st.text(alphabet="DNUPx()/,*+.0123456789e-"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        traffic = parse_traffic(text)
    except AutotunerError as error:
        assert error.code in (ErrorCode.INVALID_VALUE, ErrorCode.UNSUPPORTED)
    else:
        assert parse_traffic(traffic.text) == traffic


def test_values() -> None:
    (_, fixed), (_, normal) = parse_traffic(" 0.7 * D(64, 32) + 0.3*N(480,240)/(300,150)").parts
    assert (fixed.prompt.mean, fixed.output.mean) == (64, 32)
    assert (normal.prompt.kind, normal.prompt.mean, normal.prompt.deviation) == ("normal", 480, 240)
    assert (normal.output.mean, normal.output.deviation) == (300, 150)
    ((weight, uniform),) = parse_traffic("u(50,100)/(200,250)").parts
    assert (weight, uniform.prompt.low, uniform.prompt.high, uniform.output.longest) == (1.0, 50, 100, 250)
    mixture = parse_traffic("0.7*D(64,64)+0.3*D(600,16)")
    assert mixture.text == "0.7*D(64,64)+0.3*D(600,16)"
    assert mixture.expected_prompt == pytest.approx(0.7 * 64 + 0.3 * 600)
    assert parse_traffic("D(1,2)+D(3,4)").parts[1][0] == 1.0


@pytest.mark.parametrize("text", ["E(100)", "R(1,2)", "I(512,512)", "V(1)"])
def test_known_but_not_built(text: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        parse_traffic(text)
    assert caught.value.code is ErrorCode.UNSUPPORTED
    assert "not available in this version" in caught.value.why


@pytest.mark.parametrize(
    "text",
    ["", "D(0,1)", "D(1)", "D(1.5,2)", "D(1,99999999999)", "U(9,1)/(1,2)", "N(1,2)", "-1*D(1,2)+2*D(1,2)",
     "0*D(1,2)+1*D(1,2)", "D(1,2)+", "0.5*D(1,2)+D(3,4)", "D(1,2),D(3,4)", "X(1,2)", "D(1,2",
     "dataset(x.jsonl)", "requests.csv", "datasetx2", "P(10,20)", "P(0,20)/3", "P(1,2)/(3,4)", "D(1,2)x0", "D(1,2)x",
     "D(1,2)x1001", "D(1,2)x2x2", "(D(1,2)+D(3,4))x2"],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        parse_traffic(text)
    assert caught.value.code is ErrorCode.INVALID_VALUE


def test_prefixes_and_turns() -> None:
    ((_, prefix),) = parse_traffic("p(1000, 50)/20").parts
    assert (prefix.prefix, prefix.prompt.mean, prefix.output.mean, prefix.turns) == (1000, 1050, 20, 1)
    ((_, talk),) = parse_traffic("P(1000,50)/20 X3").parts
    assert (talk.text, talk.turns) == ("P(1000,50)/20x3", 3)
    # The last turn sends the prefix, two messages with their answers, and the third message.
    assert talk.longest_request == 1000 + 3 * (50 + 20)
    assert talk.expected_prompt == 1050 + 70
    assert parse_traffic("D(7,3)x1") == parse_traffic("D(7,3)")
    mixed = parse_traffic("0.5*D(10,10)x3+0.5*dataset")
    assert (mixed.from_dataset, mixed.plain) == (True, False)
