"""Completions with log-probabilities, as servers write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.quality.reading import LEAST_LOGPROB, read_answer


def body(logprobs: Any, text: str = "ab") -> bytes:
    return json.dumps({"choices": [{"index": 0, "text": text, "logprobs": logprobs}]}).encode()


def test_lists_as_of_completions() -> None:
    told = {
        "tokens": ["a", "b"],
        "token_logprobs": [-0.1, -0.2],
        "top_logprobs": [{"a": -0.1, "x": -3.0}, {"b": -0.2}],
        "text_offset": [0, 1],
    }
    found = read_answer(body(told))
    assert found.text == "ab"
    assert [(token.token, token.top) for token in found.tokens] == [("a", {"a": -0.1, "x": -3.0}), ("b", {"b": -0.2})]


def test_content_as_of_a_chat_with_numbers_for_tokens() -> None:
    told = {
        "content": [
            {"id": 7, "token": "a", "logprob": -0.1, "top_logprobs": [{"id": 7, "token": "a", "logprob": -0.1}]},
            {"token": "b", "logprob": -0.2, "top_logprobs": [{"token": "b", "logprob": -3.4e38}]},
        ]
    }
    found = read_answer(body(told))
    assert [(token.token, token.top) for token in found.tokens] == [("7", {"7": -0.1}), ("b", {"b": LEAST_LOGPROB})]


@pytest.mark.parametrize("told", [None, [], {}, {"tokens": None}, {"content": None}, "x"])
def test_without_log_probabilities_there_is_the_text(told: Any) -> None:
    found = read_answer(body(told))
    assert (found.text, found.tokens) == ("ab", ())


@pytest.mark.parametrize("given_body", [b"", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": {}}]}'])
def test_anything_else_is_no_completion(given_body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_answer(given_body)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))


@given(ANYTHING, ANYTHING, ANYTHING)
def test_no_answer_breaks_it(tokens: Any, tops: Any, content: Any) -> None:
    for told in ({"tokens": tokens, "top_logprobs": tops}, {"content": content}):
        for token in read_answer(body(told)).tokens:
            assert all(LEAST_LOGPROB <= value <= 0 for value in token.top.values())
