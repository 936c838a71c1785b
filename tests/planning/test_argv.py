"""check_argv: exact flags, exact values."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.contracts.attempt import HOST, PORT
from autotuner.contracts.engine import Catalogue, CatalogueParameter, GoneFlag
from autotuner.planning.argv import ArgvProblem, arguments_from, check_argv

CATALOGUE = Catalogue(
    engine="toy",
    version="1.0",
    parameters=(
        CatalogueParameter(name="model", flag="--model", type="str", help="the model", required=True),
        CatalogueParameter(name="host", flag="--host", type="str", danger="opens the network", danger_rule="list"),
        CatalogueParameter(name="port", flag="--port", type="int", low=1, high=65535),
        CatalogueParameter(
            name="tensor_parallel_size", flag="--tensor-parallel-size", flags=("-tp", "--tp-size"), type="int", low=1
        ),
        CatalogueParameter(
            name="kv_cache_dtype", flag="--kv-cache-dtype", type="choice", choices=("auto", "fp8_e5m2"), default="auto"
        ),
        CatalogueParameter(
            name="prefix_caching",
            flag="--enable-prefix-caching",
            off_flags=("--no-enable-prefix-caching", "--disable-prefix-caching"),
            type="bool",
        ),
        CatalogueParameter(name="eager", flag="--eager", type="bool", default=False),
        CatalogueParameter(name="max_len", flag="--max-len", type="int", words=("auto",), suffixes=True, low=16),
        CatalogueParameter(name="share", flag="--share", type="float", low=0.0, high=1.0),
        CatalogueParameter(name="sizes", flag="--sizes", type="list", arity="some", items="int"),
        CatalogueParameter(name="kinds", flag="--kinds", type="list", arity="any", items="str", choices=("a", "b")),
        CatalogueParameter(name="layer", flag="--layer", type="list", arity="repeat", items="str"),
        CatalogueParameter(name="token", flag="--token", type="str", arity="optional"),
        CatalogueParameter(name="extra", flag="--extra", type="json"),
        CatalogueParameter(name="old", flag="--old", type="int", deprecated="use --eager"),
    ),
    gone=(GoneFlag(flag="--swap-space", gone="0.9", instead=("--share",), hint="it moved"), GoneFlag(flag="--dead")),
    programs=(("toy", "serve"), ("-m", "toy.server")),
    positionals=("model",),
    dotted_json=True,
)


def problems(*argv: str, whole: bool = False) -> tuple[ArgvProblem, ...]:
    return check_argv(CATALOGUE, argv, whole=whole)


def one(*argv: str) -> ArgvProblem:
    (problem,) = problems(*argv)
    return problem


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("--tensor-parallel-size", "2"),
        ("--tensor-parallel-size=2",),
        ("-tp", "2"),
        ("--tp-size=4",),
        ("--kv-cache-dtype", "fp8_e5m2"),
        ("--enable-prefix-caching",),
        ("--no-enable-prefix-caching", "--eager"),
        ("--disable-prefix-caching",),
        ("--max-len", "auto"),
        ("--max-len", "8k"),
        ("--max-len", "1.5K"),
        ("--share", "0.9"),
        ("--share", "1e-1"),
        ("--sizes", "1", "2", "-3"),
        ("--sizes=4",),
        ("--kinds",),
        ("--kinds", "a", "b", "--eager"),
        ("--layer", "x", "--layer", "y"),
        ("--token",),
        ("--token", "secret"),
        ("--extra", '{"a": [1, "ü"]}'),
        ("--extra.level", "3"),
        ("--extra.sub.name=x",),
        ("a/model", "--eager"),
        ("--port", PORT),
        ("--model", "two words 'and' quotes"),
    ],
)
def test_what_the_catalogue_spells_is_accepted(argv: Sequence[str]) -> None:
    assert problems(*argv) == ()


@pytest.mark.parametrize(
    ("argv", "kind", "nearest"),
    [
        (("--tensor-parallel", "2"), "unknown flag", "--tensor-parallel-size"),  # a unique beginning: argparse takes it
        (("--tensor_parallel_size", "2"), "unknown flag", "--tensor-parallel-size"),
        (("--tensr-parallel-size", "2"), "unknown flag", "--tensor-parallel-size"),
        (("--enable-prefix-cachin",), "unknown flag", "--enable-prefix-caching"),
        (("--nothing-like-it-at-all", "2"), "unknown flag", None),
        (("--eager.level", "3"), "unknown flag", "--eager"),  # no JSON: no keys
        (("-tp2",), "unknown flag", "-tp"),
        (("--no-eager",), "unknown flag", "--eager"),
        (("--swap-space", "4"), "gone flag", "--share"),
        (("--dead",), "gone flag", None),
        (("--kv-cache-dtype", "fp8"), "bad value", "fp8_e5m2"),
        (("--kv-cache-dtype=FP8_E5M2",), "bad value", "fp8_e5m2"),
        (("--kinds", "a", "c"), "bad value", None),
        (("--tensor-parallel-size", "0"), "bad value", None),
        (("--tensor-parallel-size", "2.0"), "bad value", None),
        (("--tensor-parallel-size", "1_000"), "bad value", None),
        (("--tensor-parallel-size", "2k"), "bad value", None),
        (("--max-len", "8q"), "bad value", None),
        (("--max-len", "1"), "bad value", None),
        (("--share", "1.5"), "bad value", None),
        (("--share", "nan"), "bad value", None),
        (("--sizes", "1", "x"), "bad value", None),
        (("--extra", "{'a': 1}"), "bad value", None),
        (("--port", "70000"), "bad value", None),
        (("--tensor-parallel-size",), "missing value", None),
        (("--tensor-parallel-size", "--eager"), "missing value", None),
        (("--eager", "true"), "unexpected value", None),
        (("--eager=true",), "unexpected value", None),
        (("--enable-prefix-caching", "False"), "unexpected value", None),
        (("a/model", "b/model"), "unexpected value", None),
    ],
)
def test_what_it_does_not_spell_is_refused(argv: Sequence[str], kind: str, nearest: str | None) -> None:
    problem = one(*argv)
    assert problem.error
    assert (problem.kind, problem.nearest) == (kind, nearest)


def test_an_error_names_the_word_and_what_it_takes() -> None:
    assert one("--kv-cache-dtype", "fp8").message == "--kv-cache-dtype cannot be 'fp8': it takes one of auto, fp8_e5m2"
    assert one("--kv-cache-dtype", "fp8").position == 1
    assert (
        one("--max-len=8q").message == "--max-len cannot be '8q': it takes a whole number (k, M … may follow) or auto"
    )
    assert one("--share").message == "--share needs a value: a number"
    assert one("--enable-prefix-caching", "false").message.endswith("false is written as --no-enable-prefix-caching")
    assert one("--eager", "false").message.endswith("false is written by leaving the flag out")
    assert one("--swap-space", "4").message == "toy 1.0 has no --swap-space any more since 0.9: it moved"
    assert "only begins --enable-prefix-caching" in one("--enable-prefix").message
    assert "any of a, b" in one("--kinds", "c").message


def test_cautions_are_no_errors() -> None:
    found = problems("--host", HOST, "--old", "1", "-tp", "1", "--tp-size", "2")
    assert [(problem.kind, problem.error) for problem in found] == [
        ("dangerous", False),
        ("deprecated", False),
        ("given twice", False),
    ]
    assert found[0].message == "--host opens the network"
    assert found[2].message == "--tp-size was given before (as -tp); the engine takes the last one"


def test_what_the_engine_cannot_start_without_must_be_there() -> None:
    (problem,) = problems("--eager", whole=True)
    assert (problem.kind, problem.word) == ("missing flag", "--model")
    assert problems("--model", "m", whole=True) == ()
    assert problems("m", "--eager", whole=True) == (), "a positional stands for it"


def test_the_words_after_the_program_are_the_arguments() -> None:
    assert arguments_from(CATALOGUE, ("numactl", "-N", "0", "/opt/a b/toy", "serve", "m", "--eager")) == 5
    assert arguments_from(CATALOGUE, ("python", "-m", "toy.server", "--eager")) == 3
    assert arguments_from(CATALOGUE, ("--eager",)) == 0
    assert arguments_from(CATALOGUE, ()) == 0


SPELLINGS = [flag for entry in CATALOGUE.parameters for flag in (entry.flag, *entry.flags, *entry.off_flags)]


@given(st.sampled_from(SPELLINGS), st.data())
def test_no_beginning_of_a_flag_is_a_flag(flag: str, data: st.DataObject) -> None:
    beginning = flag[: data.draw(st.integers(min_value=2, max_value=len(flag) - 1))]
    if beginning in SPELLINGS or beginning == "-":
        return
    assert any(problem.kind == "unknown flag" for problem in problems(beginning, "1"))


@given(st.lists(st.one_of(st.sampled_from([*SPELLINGS, "--extra.x", "2", "-1", "auto", "a"]), st.text(max_size=6))))
def test_any_words_are_judged(argv: list[str]) -> None:
    for problem in problems(*argv, whole=True):
        assert problem.message
        assert not problem.message.endswith(".")
        assert 0 <= problem.position <= len(argv)
        assert problem.position == len(argv) or problem.word in argv[problem.position]
