"""Learning an engine's parameters from its own parser, in an interpreter of its own."""

import stat
import sys
from pathlib import Path

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.catalogues.marks import ParserPlaces
from autotuner.services.catalogues import catalogue, folder, shelf
from autotuner.services.learn_engine import learn_engine
from autotuner.services.settings import Settings

PARSER = """
import argparse, enum, json, sys
print("noise that an engine makes when it is imported")
assert "--help" in sys.argv

class Mode(enum.Enum):
    FAST = "fast"
    SAFE = "safe"

def human_readable_int(text):
    return int(text)

def optional_type(return_type):
    def _optional_type(text):
        return None if text == "None" else return_type(text)
    return _optional_type

class DeprecatedAction(argparse.Action):
    pass

def make_arg_parser(parser):
    parser.add_argument("model_tag", nargs="?")
    parser.add_argument("--tensor-parallel-size", "-tp", type=int, default=1, help="How many. And more.")
    parser.add_argument("--max-model-len", type=optional_type(human_readable_int))
    parser.add_argument("--enable-prefix-caching", action=argparse.BooleanOptionalAction)
    parser.add_argument("--enforce-eager", action="store_true")
    parser.add_argument("--no-enforce-eager", action="store_false", dest="enforce_eager")
    parser.add_argument("--mode", type=Mode, choices=list(Mode), default=Mode.FAST)
    parser.add_argument("--quantization", "-q", metavar=["awq", "fp8"], type=optional_type(str))
    parser.add_argument("--attention-backend", type=str)
    parser.add_argument("--middleware", action="append", default=[])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--extra", type=optional_type(json.loads), default={"a": 1})
    parser.add_argument("--old", action=DeprecatedAction, type=int)
    parser.add_argument("--tool-parser-plugin", help=argparse.SUPPRESS)
    parser.add_argument("--pair", type=float, nargs=2)
    return parser
"""
METADATA = "Metadata-Version: 2.1\nName: fake-engine\nVersion: 0.33.0+cpu\n"
PLACES = ParserPlaces(parsers=("gone.place:parser", "fake_engine.cli:make_arg_parser"), distributions=("fake-engine",))


def environment(place: Path, parser: str = PARSER) -> Path:
    """A folder like a virtual environment, whose python is this one with one package more."""
    packages = place / "packages"
    (packages / "fake_engine").mkdir(parents=True)
    (packages / "fake_engine" / "__init__.py").write_text("")
    (packages / "fake_engine" / "cli.py").write_text(parser)
    (packages / "fake_engine-0.33.0.dist-info").mkdir()
    (packages / "fake_engine-0.33.0.dist-info" / "METADATA").write_text(METADATA)
    python = place / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{packages}" exec "{sys.executable}" "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return place


def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", database="unused")


async def test_a_parser_is_asked_and_its_answer_kept(tmp_path: Path) -> None:
    found, place = await learn_engine("vllm", environment(tmp_path / "env"), settings(tmp_path), places=PLACES)
    assert place == folder(settings(tmp_path)) / "vllm-0.33.0.json"
    assert (found.engine, found.version) == ("vllm", "0.33.0")
    assert found.source is not None
    assert (found.source.kind, found.source.name) == ("parser", "fake_engine.cli:make_arg_parser")
    assert shelf(settings(tmp_path)).get("vllm", "0.33.0") == found
    assert catalogue("vllm", None, settings(tmp_path)) == found, "before the one of this program"
    assert found.positionals == ("model_tag",)

    shapes = {entry.flag: (entry.type, entry.arity, entry.default) for entry in found.parameters}
    assert shapes == {
        "--tensor-parallel-size": ("int", "one", 1),
        "--max-model-len": ("int", "one", None),
        "--enable-prefix-caching": ("bool", "one", None),
        "--enforce-eager": ("bool", "one", False),
        "--mode": ("choice", "one", "fast"),
        "--quantization": ("choice", "one", None),
        "--attention-backend": ("choice", "one", None),
        "--middleware": ("list", "repeat", None),
        "--sizes": ("list", "some", "[1, 2]"),
        "--extra": ("json", "one", '{"a": 1}'),
        "--old": ("int", "one", None),
        "--tool-parser-plugin": ("str", "one", None),
        "--pair": ("list", "some", None),
    }
    by_flag = found.by_flag
    assert by_flag["-tp"].help == "How many"
    assert by_flag["--max-model-len"].suffixes
    assert by_flag["--enable-prefix-caching"].off_flags == ("--no-enable-prefix-caching",)
    assert by_flag["--no-enforce-eager"] is by_flag["--enforce-eager"]
    assert by_flag["--mode"].choices == ("fast", "safe")
    assert by_flag["-q"].choices == ("awq", "fp8"), "the parser's own list counts"
    assert "FLASH_ATTN" in by_flag["--attention-backend"].choices, "where it has none, that of the shipped catalogue"
    assert by_flag["--middleware"].danger == "loads code"
    assert by_flag["--tool-parser-plugin"].danger_rule == "--*-plugin"
    assert by_flag["--old"].deprecated
    assert by_flag["--tensor-parallel-size"].commonly_tuned


async def test_a_parser_that_only_its_environment_breaks_is_told_of(tmp_path: Path) -> None:
    broken = environment(tmp_path / "env", "import nothing_of_that_name\n")
    with pytest.raises(AutotunerError) as error:
        await learn_engine("vllm", broken, settings(tmp_path), places=PLACES)
    assert error.value.code is ErrorCode.NO_RESULT
    assert "nothing_of_that_name" in error.value.why
    assert not folder(settings(tmp_path)).exists()


async def test_a_parser_that_hangs_is_ended(tmp_path: Path) -> None:
    hanging = environment(tmp_path / "env", "import signal\nsignal.pause()\n")
    with pytest.raises(AutotunerError) as error:
        await learn_engine("vllm", hanging, settings(tmp_path), places=PLACES, limit_s=0.5)
    assert error.value.why == "it took longer than 0 s"


async def test_what_cannot_be_asked(tmp_path: Path) -> None:
    with pytest.raises(AutotunerError) as error:
        await learn_engine("tensorrt-llm", tmp_path, settings(tmp_path))
    assert error.value.code is ErrorCode.UNSUPPORTED
    with pytest.raises(AutotunerError) as error:
        await learn_engine("vllm", tmp_path / "absent", settings(tmp_path))
    assert error.value.code is ErrorCode.MISSING_FILE
    assert error.value.why == "there is no such program"
    with pytest.raises(AutotunerError) as error:
        await learn_engine("vllm", tmp_path, settings(tmp_path))
    assert error.value.why == "it is neither a program nor an environment"


async def test_a_version_that_is_not_known_makes_no_catalogue(tmp_path: Path) -> None:
    places = PLACES.model_copy(update={"distributions": ("of-no-such-name",)})
    with pytest.raises(AutotunerError) as error:
        await learn_engine("vllm", environment(tmp_path / "env"), settings(tmp_path), places=places)
    assert error.value.code is ErrorCode.NO_RESULT
    assert error.value.why == "the engine's version is not known"
