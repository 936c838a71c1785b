"""Every preset's command passes the engine's own parser, which reads the sizes and types that were meant.

vLLM 0.32 is installed; of vLLM 0.33 and SGLang the source of their packages is used with vLLM's environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from autotuner.contracts.engine import Engine
from autotuner.contracts.neutral import PRESET, neutral_key
from autotuner.contracts.values import Scalar
from autotuner.engines.catalogue_source.__main__ import CACHE
from autotuner.engines.catalogue_source.wheels import WHEELS, WheelError, wheel
from autotuner.engines.catalogues.marks import knowledge
from autotuner.engines.sglang.engine import SglangEngine
from autotuner.engines.vllm.engine import VllmEngine
from autotuner.planning.argv import arguments_from
from engine_plans import plan
from real_vllm import vllm_environment

SCRIPT = Path(__file__).resolve().parents[1] / "parse_commands.py"
WHEEL_FOLDER = Path(os.environ.get("AUTOTUNER_TEST_WHEELS", CACHE))
HARD_LIMIT_S = 300

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Release:
    """An engine and where its parser is: in the environment (no wheel), or in a wheel's source."""

    engine: Engine
    wheel: tuple[str, str] | None = None
    sizes: Mapping[str, str] = field(default_factory=dict)
    """Neutral field → name of the parsed value."""

    @property
    def title(self) -> str:
        return f"{self.engine.name} {self.engine.catalogue.version}"


VLLM_SIZES = {
    "tp": "tensor_parallel_size",
    "pp": "pipeline_parallel_size",
    "dp": "data_parallel_size",
    "dcp": "decode_context_parallel_size",
}

RELEASES = (
    Release(VllmEngine("0.32"), None, VLLM_SIZES),
    Release(VllmEngine("0.33"), ("vllm", "0.33.0"), VLLM_SIZES),
    Release(SglangEngine("0.5.23"), ("sglang", "0.5.23"), {"tp": "tp_size", "pp": "pp_size", "ep": "ep_size"}),
)

OTHERS: Mapping[str, tuple[Mapping[str, Scalar], ...]] = {
    "vllm": (
        {"enable_prefix_caching": False, "enable_chunked_prefill": True, "max_num_batched_tokens": 2048},
        {"kv_cache_memory_bytes": 1 << 30, "gpu_memory_utilization": 0.85, "max_model_len": 4096},
        {"scheduling_policy": "priority", "enforce_eager": True, "attention_backend": "FLASH_ATTN"},
        {"quantization": "fp8", "dtype": "float16", "kv_cache_dtype": "fp8_e4m3"},
        {"additional_config": '{"a b": [1, null, "é"]}', "max_num_seqs": 16},
    ),
    "sglang": (
        {"disable_radix_cache": True, "chunked_prefill_size": -1, "max_prefill_tokens": 8192},
        {"mem_fraction_static": 0.85, "context_length": 4096, "max_running_requests": 16},
        {"schedule_policy": "lpm", "cuda_graph_backend_decode": "disabled", "attention_backend": "triton"},
    ),
}
"""Parameters beside presets, one command each."""


def blocks(of: Engine) -> list[dict[str, Scalar]]:
    """The configuration of each preset."""
    return [
        {neutral_key(block.prefix, PRESET): preset}
        for block in of.neutral.blocks
        if block.prefix in ("parallel", "quant")
        for preset in block.presets
    ]


def arguments(release: Release, configuration: Mapping[str, Scalar]) -> list[str]:
    """What follows the program, with what is put in at launch."""
    document: dict[str, Any] = {"parallel_config": {"presets": ["single-gpu"]}}
    document["quant_config"] = {"presets": ["default"]}
    own = {name: value for name, value in configuration.items() if not name.startswith("__")}
    made = plan(release.engine.name, of=release.engine, parameters=own, **document)
    asked = {name: value for name, value in configuration.items() if name.startswith("__")}
    words = made.resolver.command(asked).argv
    put_in = {"{host}": "127.0.0.1", "{port}": "8000", "{file:server.yaml}": "/dev/null"}
    return [put_in.get(word, word) for word in words[arguments_from(release.engine.catalogue, words) :]]


@cache
def source(wheel_of: tuple[str, str]) -> Path:
    """The Python source of a wheel beside it, unpacked once."""
    engine, version = wheel_of
    try:
        opened = wheel(WHEELS[engine][version], WHEEL_FOLDER)
    except WheelError as error:
        pytest.skip(f"without its package: {error}")
    folder = WHEEL_FOLDER / f"{engine}-{version}-source"
    whole = folder / ".whole"
    if not whole.exists():
        with zipfile.ZipFile(opened.path) as packed:
            packed.extractall(folder, [name for name in packed.namelist() if not name.endswith((".so", ".a"))])
        whole.touch()
    return folder


def parse(release: Release, commands: Sequence[Sequence[str]], folder: Path) -> list[dict[str, Any]]:
    """What the engine's parser makes of each command."""
    python = vllm_environment() / "bin" / "python"
    places = knowledge(release.engine.name).parser
    assert places is not None
    asked = {"parsers": places.parsers, "classes": places.classes, "commands": commands}
    output = folder / "parsed.json"
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        **places.env,
    }
    if release.wheel is not None:
        env["PYTHONPATH"] = str(source(release.wheel))
    ran = subprocess.run(
        [str(python), str(SCRIPT), json.dumps(asked), str(output)],
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=HARD_LIMIT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads(output.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.title)
def test_the_engines_own_parser_takes_every_command(release: Release, tmp_path: Path) -> None:
    configurations = [*blocks(release.engine), *OTHERS[release.engine.name]]
    wrong = [["--tensor-parallel-sizes", "2"], ["--max-model-len", "many"], ["--context-length", "many"]]
    commands = [arguments(release, configuration) for configuration in configurations]
    told = parse(release, [*commands, *wrong], tmp_path)
    refused = {str(c): t["refused"] for c, t in zip(configurations, told, strict=False) if "refused" in t}
    assert not refused
    # The parser does refuse: what it has never heard of, and what is no number.
    assert all("refused" in one for one in told[len(commands) :])
    for configuration, one in zip(configurations, told, strict=False):
        check_sizes(release, configuration, one["values"])
    own = dict(zip(map(str, configurations), told, strict=False))
    for configuration in OTHERS[release.engine.name]:
        values = own[str(configuration)]["values"]
        for name, value in configuration.items():
            assert _plain(values[name]) == _plain(value), (name, values[name])


def check_sizes(release: Release, configuration: Mapping[str, Scalar], values: Mapping[str, Any]) -> None:
    """The parser has read the sizes of the layout that the preset stands for."""
    preset = configuration.get(neutral_key("parallel", PRESET))
    if preset is None:
        return
    block = next(block for block in release.engine.neutral.blocks if block.prefix == "parallel")
    meant = block.presets[str(preset)].fields
    for size, name in release.sizes.items():
        assert (values[name] or 1) == (meant.get(size) or 1), name


def _plain(value: object) -> object:
    """JSON as what it means; the rest as text, since parsers make enumerations of some words."""
    if isinstance(value, str) and value.startswith("{"):
        return json.loads(value)
    return value if isinstance(value, dict) else str(value).rpartition(".")[2]
