"""Makes a model once and finds it again: whole or not at all, whoever else is at it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.tiny_model import gguf_file, hf_folder, weights
from autotuner.tiny_model import tokenizer as bpe
from autotuner.tiny_model.shape import SHAPES, Shape

_RECIPE = 1
"""Raised whenever equal shapes and seeds would give other files."""
_MANIFEST = "manifest.json"
_LIBRARIES = ("gguf", "ml_dtypes", "numpy", "safetensors", "tokenizers")


@dataclass(frozen=True)
class CreatedModel:
    """A model on disk: the Hugging Face folder, with the GGUF files in it."""

    directory: Path
    gguf: Mapping[str, Path]
    """Files by weight type, those that were asked for."""
    sha256: Mapping[str, str]
    """Of each file that belongs to the model, by its name in the folder."""
    parameters: int
    """Number of weights."""


def create_model(kind: str, directory: Path, *, seed: int = 0, file_types: Sequence[str] = ("f16",)) -> CreatedModel:
    """The model of that kind (tiny, small) and seed, in a folder of its own under ``directory``.

    The weights are random and depend on the seed alone, but the work per token is that of a real model of that shape,
    answers are as long as asked and every token is visible text. Files whose hashes are right are kept; missing
    and damaged ones are made. Waits while another process makes the same model. Blocks for seconds: not for an event
    loop.

    Raises AutotunerError: INVALID_VALUE (kind, file type, seed), MISSING_EXTRA, STORAGE (the folder can't be written).
    """
    shape = _checked(kind, seed, file_types)
    folder = directory.resolve() / f"{kind}-{seed}"
    wanted = [*hf_folder.FILES, *(gguf_file.file_name(t) for t in file_types)]
    header = {"recipe": _RECIPE, "shape": asdict(shape), "seed": seed}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock(folder.parent / f".{folder.name}.lock"):
            known = _read_manifest(folder, header)
            hashes = known.files
            missing = [name for name in wanted if not _intact(folder / name, hashes.get(name))]
            if missing:
                hashes = _make(folder, header, shape, seed, missing, known)
    except OSError as error:
        raise AutotunerError(
            ErrorCode.STORAGE,
            f"The model can't be written to {folder}",
            why=f"{error.strerror or error}",
            remedy="Free some space or choose another folder",
            place=str(directory),
        ) from error
    return CreatedModel(
        directory=folder,
        gguf={t: folder / gguf_file.file_name(t) for t in file_types},
        sha256={name: hashes[name] for name in wanted},
        parameters=shape.parameters,
    )


def _checked(kind: str, seed: int, file_types: Sequence[str]) -> Shape:
    unknown = [t for t in file_types if t not in gguf_file.FILE_TYPES]
    if kind in SHAPES and seed >= 0 and not unknown:
        return SHAPES[kind]
    if kind not in SHAPES:
        what, why, remedy = f"There is no model of kind {kind!r}", f"the kinds are {', '.join(SHAPES)}", "Choose one"
    elif unknown:
        types = ", ".join(gguf_file.FILE_TYPES)
        what, why, remedy = f"There is no file type {unknown[0]!r}", f"the types are {types}", "Choose some of these"
    else:
        what, why, remedy = f"The seed can't be {seed}", "a seed is not negative", "Use 0 or more"
    raise AutotunerError(ErrorCode.INVALID_VALUE, what, why=why, remedy=remedy)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Holds a lock between processes; the kernel frees it when the holder dies. The file stays."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class _Manifest:
    """What is known of the files in a folder."""

    files: Mapping[str, str]
    """SHA-256 by name."""
    made_with: str | None
    """Versions of what made them."""


def _read_manifest(folder: Path, header: Mapping[str, object]) -> _Manifest:
    """The manifest; an empty one where it is missing, damaged, or of another recipe."""
    try:
        content = json.loads((folder / _MANIFEST).read_text())
        if {key: content.get(key) for key in header} == header:
            return _Manifest({str(k): str(v) for k, v in content["files"].items()}, str(content["made_with"]))
    except (FileNotFoundError, ValueError, AttributeError, KeyError):
        pass  # whatever is in the folder will be made again
    return _Manifest({}, None)


def _intact(path: Path, expected: str | None) -> bool:
    return expected is not None and path.is_file() and _sha256(path) == expected


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _make(
    folder: Path, header: Mapping[str, object], shape: Shape, seed: int, missing: Sequence[str], known: _Manifest
) -> dict[str, str]:
    """Makes the missing files beside the folder, then moves them in; the manifest is the last to move.

    Returns the hashes of all files of the model.
    """
    made_with = _versions()
    # Other library versions may give other tokens, and the files of one model must agree with each other.
    names = list(missing) if known.made_with in {None, made_with} else sorted({*missing, *known.files})
    for left_over in folder.parent.glob(f".{folder.name}-*.tmp"):
        shutil.rmtree(left_over)  # of a creation that was killed; we hold the lock, so nobody is at it
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-", suffix=".tmp"))
    try:
        scratch.chmod(0o755)
        _write(scratch, shape, seed, names)
        files = {**known.files} | {name: _sha256(scratch / name) for name in names}
        manifest = {**header} | {"parameters": shape.parameters, "made_with": made_with, "files": files}
        (scratch / _MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
        if folder.exists():
            for name in (*names, _MANIFEST):
                (scratch / name).replace(folder / name)
        else:
            scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return files


def _write(folder: Path, shape: Shape, seed: int, names: Sequence[str]) -> None:
    tokenizer = bpe.train(shape)
    drawn = weights.draw(shape, bpe.visible(tokenizer), seed)
    if not {*hf_folder.FILES}.isdisjoint(names):
        hf_folder.write(folder, shape, tokenizer, drawn)
    for file_type in gguf_file.FILE_TYPES:
        if gguf_file.file_name(file_type) in names:
            gguf_file.write(folder / gguf_file.file_name(file_type), file_type, shape, tokenizer, drawn)


def _versions() -> str:
    """What the files depend on besides shape and seed; AutotunerError (MISSING_EXTRA) where something is missing."""
    try:
        for library in _LIBRARIES:
            __import__(library)
        libraries = [f"{library} {version(library)}" for library in _LIBRARIES]
    except ImportError as error:
        raise AutotunerError(
            ErrorCode.MISSING_EXTRA,
            "The model can't be made",
            why=f"{error.name} is not installed",
            remedy="pip install 'inference-autotuner[model]'",
        ) from error
    return ", ".join([f"python {platform.python_version()}", *libraries])
