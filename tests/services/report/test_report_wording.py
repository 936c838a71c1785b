"""How figures and names are put into words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.services.report import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234567.8, "1,234,568"), (12.3456, "12.35"), (0.00012345, "0.0001234"), (100.0, "100"),
     (-5.5, "-5.5"), (None, "–"), (math.nan, "–"), (math.inf, "–")],
)  # fmt: skip
def test_numbers(value: float | None, text: str) -> None:
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.25, "s", "250 ms"), (1.5, "s", "1.5 s"), (0.013, "share", "1.3 %"), (4.0, "tokens/s", "4 tokens/s")],
)
def test_units(value: float, unit: str, text: str) -> None:
    assert wording.with_unit(value, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.21, "3.2 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (7_500, "2 h 5 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("model", "text"),
    [("tiny:q8_0", "tiny:q8_0"), ("/srv/models/a.gguf", "a.gguf"), ("models/a.gguf", "a.gguf"),
     ("Org/Model-8B", "Org/Model-8B"), ("~/model/", "model")],
)  # fmt: skip
def test_models(model: str, text: str) -> None:
    assert wording.model_name(model) == text


def test_a_gain_is_positive_when_it_is_better() -> None:
    assert wording.gain_of(120, 100, "maximize") == pytest.approx(0.2)
    assert wording.gain_of(80, 100, "minimize") == pytest.approx(0.2)
    assert wording.gain_of(80, 0, "minimize") is None


@given(st.text())
def test_what_is_shown_holds_no_control_characters(text: str) -> None:
    shown = wording.one_line(text)
    assert not [c for c in shown if ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2066\u2028"]


LOAD = {"max_load_meeting_slo": 41.0, "max_load_low": 40.0, "max_load_high": 43.0, "max_load_limited_by": "p90_ttft"}

AT_THE_CLIFF = (
    "41 requests in flight (40 to 43), limited by p90 TTFT, and falls off a cliff beyond it; the probes were used up "
    "before it was sure"
)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "41 requests in flight (40 to 43), limited by p90 TTFT"),
        ({"max_load_high": 40.0, "max_load_meeting_slo": 40.0}, "40 requests in flight, limited by p90 TTFT"),
        ({"request_rates": [40.0, 43.0]}, "41 requests/s (40 to 43), limited by p90 TTFT"),
        ({"max_load_limited_by": "mean_e2e_latency"}, "41 requests in flight (40 to 43), limited by mean latency"),
        (
            {"max_load_cliff": True, "max_load_precise": False},
            AT_THE_CLIFF,
        ),
        (
            {"max_load_meeting_slo": None, "max_load_limited_by": "probes_used"},
            "none was found: the probes were used up before any load met the SLO",
        ),
        (
            {"max_load_meeting_slo": None, "max_load_limited_by": "nothing_meets"},
            "not even the lowest load meets the SLO",
        ),
    ],
)
def test_a_searched_load(changes: dict[str, object], text: str) -> None:
    assert wording.load_text({**LOAD, **changes}) == text


def test_where_no_load_was_searched_nothing_is_said() -> None:
    assert wording.load_text({"mean_ttft": 0.1}) is None
