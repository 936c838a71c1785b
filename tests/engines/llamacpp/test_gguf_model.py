"""What is read from a GGUF file, and what is said of a file that is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf import GGUFReader
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.llamacpp.model import read_model
from conformance.tiny_gguf import make_tiny_gguf


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("model"))


def test_facts_are_those_of_the_reference_reader(model: Path) -> None:
    facts, reader = read_model(str(model)), GGUFReader(model)

    def told(key: str) -> object:
        return reader.fields[key].contents()

    assert facts["architecture"] == told("general.architecture") == "llama"
    assert facts["file_type"] == "F16"
    for fact, key in (
        ("context_length", "llama.context_length"),
        ("block_count", "llama.block_count"),
        ("head_count", "llama.attention.head_count"),
        ("head_count_kv", "llama.attention.head_count_kv"),
        ("head_dim", "llama.attention.key_length"),
    ):
        assert facts[fact] == told(key)
    tokens, kinds = told("tokenizer.ggml.tokens"), told("tokenizer.ggml.token_type")
    assert isinstance(tokens, list)
    assert isinstance(kinds, list)
    assert facts["vocab_size"] == len(tokens)
    assert facts["parameter_count"] == sum(int(tensor.n_elements) for tensor in reader.tensors)
    assert facts["size_bytes"] == model.stat().st_size
    ordinary = facts["prompt_token_ids"]
    assert isinstance(ordinary, list)
    low, high = ordinary
    assert set(kinds[low:high]) == {1}
    assert high - low > len(tokens) // 2


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 1.0, exclude_max=True))
def test_a_file_that_is_cut_short_is_refused(model: Path, share: float) -> None:
    data = model.read_bytes()
    cut = model.with_name("cut.gguf")
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(AutotunerError) as error:
        read_model(str(cut))
    assert error.value.code is ErrorCode.MISSING_MODEL


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_a_damaged_header_is_refused(model: Path, noise: bytes) -> None:
    damaged = model.with_name("damaged.gguf")
    damaged.write_bytes(b"GGUF\x03\x00\x00\x00" + noise + b"\xff" * 64)
    with pytest.raises(AutotunerError) as error:
        read_model(str(damaged))
    assert error.value.code is ErrorCode.MISSING_MODEL


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "hf"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    (tmp_path / "pointer.gguf").write_text("version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "empty.gguf").touch()
    (tmp_path / "text.gguf").write_text("hello")
    for name, said in (
        ("nothing.gguf", "no such file"),
        ("hf", "Hugging Face"),
        (".", "such as"),
        ("model.safetensors", "safetensors"),
        ("pointer.gguf", "Git LFS"),
        ("empty.gguf", "empty"),
        ("text.gguf", "not a GGUF file"),
    ):
        with pytest.raises(AutotunerError) as error:
            read_model(str(tmp_path / name))
        assert error.value.code is ErrorCode.MISSING_MODEL
        assert said in str(error.value)
