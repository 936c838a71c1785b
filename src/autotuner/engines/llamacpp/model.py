"""What a GGUF file tells the planner and the client about its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.llamacpp.gguf_header import GGUFError, Header, read_header

NORMAL_TOKEN = 1
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS",
    20: "IQ2_XS", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE",
}  # fmt: skip
"""general.file_type (llama_ftype in llama.h)."""


def read_model(path: str) -> dict[str, object]:
    """Facts of the model in a GGUF file; those that the file does not tell are left out.

    Keys: ``format``, ``architecture``, ``name``, ``file_type``, ``context_length``, ``block_count``,
    ``embedding_length``, ``head_count``, ``head_count_kv``, ``head_dim``, ``vocab_size``, ``parameter_count``,
    ``size_bytes``, and ``prompt_token_ids``: [low, high), token ids that are all ordinary text.
    Raises AutotunerError (MISSING_MODEL).
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise _no_file(path, file)
    try:
        header = read_header(file)
        size = file.stat().st_size
    except GGUFError as error:
        raise _unusable(path, _looks_like(file) or str(error)) from error
    except OSError as error:
        raise _unusable(path, f"it cannot be read ({error.strerror})") from error
    return _facts(header, size)


def _facts(header: Header, size: int) -> dict[str, object]:
    values = header.values
    architecture = values.get("general.architecture")
    facts: dict[str, object] = {
        "format": "gguf",
        "architecture": architecture,
        "name": values.get("general.name"),
        "parameter_count": header.parameter_count,
        "size_bytes": size,
    }
    kind = values.get("general.file_type")
    if isinstance(kind, int):
        facts["file_type"] = FILE_TYPES.get(kind, f"type {kind}")
    for fact, key in (
        ("context_length", "context_length"),
        ("block_count", "block_count"),
        ("embedding_length", "embedding_length"),
        ("head_count", "attention.head_count"),
        ("head_count_kv", "attention.head_count_kv"),
        ("head_dim", "attention.key_length"),
        ("head_dim_v", "attention.value_length"),
        ("vocab_size", "vocab_size"),
    ):
        facts[fact] = values.get(f"{architecture}.{key}")
    facts["vocab_size"] = header.array_lengths.get("tokenizer.ggml.tokens", facts["vocab_size"])
    heads, width = facts["head_count"], facts["embedding_length"]
    if facts["head_dim"] is None and isinstance(heads, int) and isinstance(width, int) and heads:
        facts["head_dim"] = width // heads
    if facts["head_dim_v"] is None:
        facts["head_dim_v"] = facts["head_dim"]
    facts["prompt_token_ids"] = _ordinary_tokens(values.get("tokenizer.ggml.token_type"), facts["vocab_size"])
    return {name: value for name, value in facts.items() if value is not None}


def _ordinary_tokens(kinds: object, vocabulary: object) -> list[int] | None:
    """The longest run of ordinary tokens; without their kinds the last three quarters of the vocabulary."""
    if isinstance(kinds, Sequence) and kinds:
        best, start = (0, 0), 0
        for index in range(len(kinds) + 1):
            if index == len(kinds) or kinds[index] != NORMAL_TOKEN:
                best = max(best, (start, index), key=lambda run: run[1] - run[0])
                start = index + 1
        if best[1] > best[0]:
            return list(best)
    if isinstance(vocabulary, int) and vocabulary > 0:
        return [min(1000, vocabulary // 4), vocabulary]
    return None


def _no_file(path: str, file: Path) -> AutotunerError:
    if not file.is_dir():
        return AutotunerError(
            ErrorCode.MISSING_MODEL,
            f"the model {path} does not exist",
            why="there is no such file",
            remedy="give the path of a GGUF file",
            place="model.id_or_path",
        )
    inside = sorted(entry.name for entry in file.glob("*.gguf"))
    if inside:
        remedy = f"give the file itself, such as {file / inside[0]}"
    elif (file / "config.json").is_file():
        remedy = "it is a Hugging Face model folder; convert it to GGUF with llama.cpp's convert_hf_to_gguf.py"
    else:
        remedy = "give the path of a GGUF file"
    return _unusable(path, "it is a folder, and llama.cpp loads one GGUF file", remedy)


def _unusable(path: str, why: str, remedy: str = "give the path of a complete GGUF file") -> AutotunerError:
    return AutotunerError(
        ErrorCode.MISSING_MODEL, f"the model {path} cannot be used", why=why, remedy=remedy, place="model.id_or_path"
    )


def _looks_like(file: Path) -> str | None:
    """What a file that is no GGUF seems to be."""
    with file.open("rb") as opened:
        start = opened.read(64)
    if start[:4] == b"GGUF":
        return None
    if file.suffix == ".safetensors" or start[8:9] == b"{":
        return "it looks like a safetensors file, not like GGUF"
    if start[:2] == b"PK":
        return "it looks like a PyTorch or zip file, not like GGUF"
    if start.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer; the model itself was not downloaded"
    if not start:
        return "it is empty"
    return "it is not a GGUF file"


def number(facts: Mapping[str, object], name: str) -> int | None:
    """A fact that is a whole number, or None."""
    value = facts.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
