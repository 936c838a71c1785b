"""The tiny model: its files, its determinism, and its creation whatever happens meanwhile."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.tiny_model import CreatedModel, create, create_model, gguf_file
from autotuner.tiny_model.shape import SHAPES

ALL = tuple(gguf_file.FILE_TYPES)

MADE_WITH = "python 3.11.7, gguf 0.19.0, ml_dtypes 0.6.0, numpy 2.4.6, safetensors 0.8.0, tokenizers 0.23.3"
PINNED = {
    "config.json": "6461a79ee91b456856d2b7719ccad3a21d1272d7db3d982faa6e2198c4646d3c",
    "model-bf16.gguf": "8c5c9b75502e53c85c206f6e00b13adc33e97f54ee5853e03ae3f075c00bd62e",
    "model-f16.gguf": "8ad3ce20d589f3ed8d5c6120911837c711107c8203a825b685f89099f6aad63a",
    "model-f32.gguf": "4d5a9b24fea48d0002ac36f394700e05bde5606872a1cc43b8b4ce4564d8d664",
    "model-q4_0.gguf": "57dc20cb36be5394ae85541ac79472cd40ea9c2dc19daa8291eae5fa256a9579",
    "model-q8_0.gguf": "013d5ef4efb98ffc32bae9caa94e4550f635dc5874c86e91f92f4fbaabd35f3b",
    "model.safetensors": "0d4228414864b7ae3028872288fe24c921790e9b950a99e1861d95d01d3cfcff",
    "tokenizer.json": "bd9ac67ca352c5f9ebd278f0761ec5345cb669db10c418d2d4f43ea7b20dce18",
}
"""SHA-256 of files of the tiny model with seed 0, made twice with the versions above."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CreatedModel:
    return create_model("tiny", tmp_path_factory.mktemp("models"), file_types=ALL)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> CreatedModel:
    return create_model("tiny", tmp_path_factory.mktemp("plain"))


@pytest.fixture
def own(plain: CreatedModel, tmp_path: Path) -> CreatedModel:
    """A model that a test may damage."""
    shutil.copytree(plain.directory, tmp_path / plain.directory.name)
    return create_model("tiny", tmp_path)


def stamps(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}


def test_sizes_of_the_models() -> None:
    assert SHAPES["tiny"].parameters == 5_048_576
    assert SHAPES["small"].parameters == 43_790_848


def test_the_folder_holds_a_model(model: CreatedModel) -> None:
    from safetensors.numpy import load_file

    config = json.loads((model.directory / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    tensors = load_file(model.directory / "model.safetensors")
    assert sum(tensor.size for tensor in tensors.values()) == model.parameters == 5_048_576
    assert {str(tensor.dtype) for tensor in tensors.values()} == {"bfloat16"}
    assert list(model.gguf) == list(ALL)
    assert all(path.is_file() for path in model.gguf.values())


def test_one_word_is_about_one_token(model: CreatedModel) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model.directory / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == 4096
    assert [tokenizer.token_to_id(t) for t in ("<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>")] == [0, 1, 2, 3]
    text = "the value of the expression is the name of the function"
    assert len(tokenizer.encode(text).ids) == len(text.split())
    assert tokenizer.decode(tokenizer.encode("naïve – ok").ids) == "naïve – ok"


def test_only_visible_tokens_can_be_produced(model: CreatedModel) -> None:
    """A forward pass of the constant part: dimension 0 is never written to, and banned tokens are at −100."""
    import numpy as np
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    tensors = {n: t.astype(np.float32) for n, t in load_file(model.directory / "model.safetensors").items()}
    assert (tensors["model.embed_tokens.weight"][:, 0] == 4).all()
    for name, tensor in tensors.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            assert (tensor[0] == 0).all()
    tokenizer = Tokenizer.from_file(str(model.directory / "tokenizer.json"))
    head = tensors["lm_head.weight"][:, 0]
    assert set(head.tolist()) == {0.0, -100.0}
    assert (head[:4] == -100).all()
    for token in np.flatnonzero(head == 0):
        text = tokenizer.decode([int(token)])
        assert text
        assert text.isascii()
        assert text.isprintable()
    assert (head == 0).sum() > 3500


@pytest.mark.parametrize(
    ("file_type", "tolerance"), [("f32", 0.0), ("f16", 0.002), ("bf16", 0.01), ("q8_0", 0.03), ("q4_0", 0.4)]
)
def test_gguf_files_hold_the_same_weights(model: CreatedModel, file_type: str, tolerance: float) -> None:
    """Against the bfloat16 folder, tensor by tensor; queries and keys are the same rows in another order."""
    import numpy as np
    from gguf import GGUFReader
    from gguf.quants import dequantize
    from safetensors.numpy import load_file

    tensors = {n: t.astype(np.float32) for n, t in load_file(model.directory / "model.safetensors").items()}
    reader = GGUFReader(model.gguf[file_type])
    stored = {tensor.name: tensor for tensor in reader.tensors}
    assert len(stored) == len(tensors)
    assert reader.fields["general.file_type"].contents() == gguf_file.FILE_TYPES[file_type]
    for name, there in (
        ("model.layers.1.mlp.up_proj.weight", "blk.1.ffn_up.weight"),
        ("model.layers.3.self_attn.v_proj.weight", "blk.3.attn_v.weight"),
        ("model.norm.weight", "output_norm.weight"),
    ):
        found = dequantize(stored[there].data, stored[there].tensor_type).reshape(tensors[name].shape)
        spread = float(np.abs(tensors[name]).max())
        assert np.abs(found - tensors[name]).max() <= max(tolerance, 0.01) * spread
    query = tensors["model.layers.0.self_attn.q_proj.weight"]
    found = dequantize(stored["blk.0.attn_q.weight"].data, stored["blk.0.attn_q.weight"].tensor_type)
    # Head 0: row 2i of the file is row i of the first half, row 2i + 1 is row i of the second half (32 each).
    order = [half * 32 + pair for pair in range(32) for half in range(2)]
    assert np.abs(found[:64] - query[:64][order]).max() <= max(tolerance, 0.01) * float(np.abs(query).max())


def test_equal_seeds_give_equal_files_and_other_seeds_other_weights(model: CreatedModel, tmp_path: Path) -> None:
    again = create_model("tiny", tmp_path, file_types=ALL)
    assert again.sha256 == model.sha256
    other = create_model("tiny", tmp_path, seed=1)
    assert other.directory != again.directory
    assert other.sha256["tokenizer.json"] == model.sha256["tokenizer.json"]
    assert other.sha256["model.safetensors"] != model.sha256["model.safetensors"]


def test_hashes_with_known_versions(model: CreatedModel) -> None:
    made_with = json.loads((model.directory / "manifest.json").read_text())["made_with"]
    if made_with != MADE_WITH:
        pytest.skip(f"hashes are pinned for {MADE_WITH}")
    assert {name: model.sha256[name] for name in PINNED} == PINNED


def test_a_second_call_changes_nothing(own: CreatedModel) -> None:
    before = stamps(own.directory)
    assert create_model("tiny", own.directory.parent) == own
    assert stamps(own.directory) == before


def test_another_file_type_is_added(own: CreatedModel) -> None:
    before = stamps(own.directory)
    more = create_model("tiny", own.directory.parent, file_types=("f16", "q8_0"))
    after = stamps(own.directory)
    assert set(after) - set(before) == {"model-q8_0.gguf"}
    assert {name for name in before if after[name] != before[name]} == {"manifest.json"}
    assert more.sha256["model-f16.gguf"] == own.sha256["model-f16.gguf"]


@pytest.mark.parametrize("name", ["model-f16.gguf", "model.safetensors", "tokenizer.json"])
def test_a_damaged_file_is_made_again(own: CreatedModel, name: str) -> None:
    path = own.directory / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert create_model("tiny", own.directory.parent) == own
    assert create._sha256(path) == own.sha256[name]


@pytest.mark.parametrize("content", [None, "{", "[]", '{"recipe": 0}'])
def test_a_folder_without_a_usable_manifest_is_made_again(own: CreatedModel, content: str | None) -> None:
    manifest = own.directory / "manifest.json"
    if content is None:
        manifest.unlink()
    else:
        manifest.write_text(content)
    (own.directory / "model-f16.gguf").unlink()
    assert create_model("tiny", own.directory.parent) == own


def test_other_versions_make_all_files_again(own: CreatedModel) -> None:
    """Files of different versions must not be mixed: their tokenizers could differ."""
    manifest = own.directory / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"made_with": "older"}))
    before = stamps(own.directory)
    create_model("tiny", own.directory.parent, file_types=("q8_0",))
    after = stamps(own.directory)
    assert all(after[name] != before[name] for name in before)


def test_a_failed_creation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gguf_file, "write", full)
    with pytest.raises(AutotunerError) as caught:
        create_model("tiny", tmp_path)
    assert caught.value.code is ErrorCode.STORAGE
    assert "No space left" in caught.value.why
    assert [path.name for path in tmp_path.iterdir()] == [".tiny-0.lock"]


def test_what_a_killed_creation_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".tiny-0-abc.tmp").mkdir()
    create_model("tiny", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tiny-0.lock", "tiny-0"]


def test_two_processes_make_one_model(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from autotuner.tiny_model import create_model\n"
        "print(create_model('tiny', Path(sys.argv[1])).sha256['model-f16.gguf'])"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(answers) == 1
    assert create_model("tiny", tmp_path).sha256["model-f16.gguf"] == answers.pop().strip()


@pytest.mark.parametrize(
    ("kind", "seed", "file_types", "named"),
    [("large", 0, ("f16",), "'large'"), ("tiny", -1, ("f16",), "-1"), ("tiny", 0, ("f16", "q3_k"), "'q3_k'")],
)
def test_wrong_arguments_are_named(
    tmp_path: Path, kind: str, seed: int, file_types: tuple[str, ...], named: str
) -> None:
    with pytest.raises(AutotunerError, match=named) as caught:
        create_model(kind, tmp_path, seed=seed, file_types=file_types)
    assert caught.value.code is ErrorCode.INVALID_VALUE


def test_missing_libraries_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(AutotunerError) as caught:
        create_model("tiny", tmp_path)
    assert caught.value.code is ErrorCode.MISSING_EXTRA
    assert caught.value.remedy == "pip install 'inference-autotuner[model]'"


def test_importing_is_light() -> None:
    code = (
        "import sys, autotuner.tiny_model\n"
        "assert not {'numpy', 'gguf', 'tokenizers', 'safetensors', 'ml_dtypes'} & set(sys.modules)"
    )
    path = ":".join(p for p in sys.path if p)
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path})
