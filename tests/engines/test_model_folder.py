"""A model's folder is read, and what is none is said to be none."""

import json
import shutil
from pathlib import Path

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.memory_policies import MEMORY_POLICIES, memory_policy
from autotuner.engines.model_folder import read_model_folder

CONFIGS = Path(__file__).resolve().parents[1] / "data" / "model_configs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "llama"
    made.mkdir()
    shutil.copy(CONFIGS / "llama-3.1-8b.json", made / "config.json")
    return made


def test_a_folder(folder: Path) -> None:
    facts = read_model_folder(str(folder))
    assert (facts.name, facts.layers, facts.checkpoint_bytes) == (str(folder), 32, None)
    assert read_model_folder(str(folder / "config.json")).layers == 32


def test_the_neighbours_of_the_configuration(folder: Path) -> None:
    (folder / "hf_quant_config.json").write_text(json.dumps({"quantization": {"quant_algo": "FP8"}}))
    (folder / "config.json").write_text(
        json.dumps({**json.loads((folder / "config.json").read_text()), "max_position_embeddings": None})
    )
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 9000}))
    facts = read_model_folder(str(folder))
    assert facts.quantisation is not None
    assert facts.quantisation.label == "modelopt fp8"
    assert facts.max_positions == 9000


def test_the_size_of_the_weights(folder: Path) -> None:
    for number in (1, 2):
        (folder / f"model-0000{number}-of-00002.safetensors").write_bytes(bytes(100))
    (folder / "consolidated.safetensors").write_bytes(bytes(1000))  # the same weights once more
    assert read_model_folder(str(folder)).checkpoint_bytes == 200
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": 190}}))
    assert read_model_folder(str(folder)).checkpoint_bytes == 190


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("config.json", "{", "not JSON"),
        ("config.json", "[1]", "no object"),
        ("config.json", "\xff\xfe", "not JSON"),
        ("hf_quant_config.json", "no", "not JSON"),
        ("tokenizer_config.json", "", "not JSON"),
    ],
)
def test_a_broken_file(folder: Path, name: str, text: str, said: str) -> None:
    (folder / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(AutotunerError) as caught:
        read_model_folder(str(folder))
    assert caught.value.code is ErrorCode.MISSING_MODEL
    assert said in caught.value.why
    assert caught.value.place == str(folder / name)


def test_what_is_no_folder_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    (tmp_path / "empty").mkdir()
    for name, said in (("nowhere", "no such folder"), ("empty", "no config.json"), ("x.gguf", "it is a file")):
        with pytest.raises(AutotunerError) as caught:
            read_model_folder(str(tmp_path / name))
        assert caught.value.code is ErrorCode.MISSING_MODEL
        assert said in caught.value.why


def test_policies() -> None:
    first, policy = memory_policy(None)
    assert (first, policy.parameter) == (next(iter(MEMORY_POLICIES)), "gpu_memory_utilization")
    assert memory_policy("TensorRT_LLM")[1].meaning == "of_free"
    with pytest.raises(AutotunerError) as caught:
        memory_policy("llamacpp")
    assert "sglang" in caught.value.remedy
