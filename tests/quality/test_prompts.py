"""The prompts: the built-in set and files of users."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.quality.prompts import BUILT_IN, describe_prompts, prompts_of


def test_the_built_in_set_is_of_distinct_prompts_that_are_short() -> None:
    found = describe_prompts(None)
    assert found.prompts == len(set(BUILT_IN)) == 32
    assert prompts_of(found) == BUILT_IN
    assert found.longest_request < 128  # a larger one would change the context that servers are started with


def test_a_file_of_prompts(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text('{"prompt": "one"}\n\n{"prompt": "zwei ü", "output_tokens": 3}\n')
    found = describe_prompts(str(file))
    assert prompts_of(found) == ("one", "zwei ü")
    file.write_text('{"other": 1, "prompt": "one"}\n{"prompt": "zwei ü"}\n')
    assert prompts_of(found) == ("one", "zwei ü")  # only the prompts count
    file.write_text('{"prompt": "one"}\n')
    with pytest.raises(AutotunerError, match="are not those of the plan"):
        prompts_of(found)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.txt", "x", "does not end with .jsonl"),
        ("p.jsonl", "", "holds no prompts"),
        ("p.jsonl", '{"prompt": "a"}\nnot json\n', "line 2 is not JSON"),
        ("p.jsonl", '["a"]\n', "line 1 has no text under the key prompt"),
        ("p.jsonl", '{"prompt": ""}\n', "line 1 has no text under the key prompt"),
        ("p.jsonl", '{"prompt": 3}\n', "line 1 has no text under the key prompt"),
        ("p.jsonl", '{"prompt": "a"}\n' * 501, "more than 500 prompts"),
        ("p.jsonl", '{"prompt": "' + "a" * 2**23 + '"}\n', "bytes"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_line(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(AutotunerError, match=said) as caught:
        describe_prompts(str(tmp_path / name))
    assert caught.value.code is ErrorCode.INVALID_VALUE
    assert caught.value.place == "quality.prompts"


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(AutotunerError) as caught:
        describe_prompts(str(tmp_path / "none.jsonl"))
    assert caught.value.code is ErrorCode.MISSING_FILE
