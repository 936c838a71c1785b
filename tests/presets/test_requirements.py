"""What presets require: the order of the merge, circles, and presets that are gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.presets import Preset
from autotuner.presets.requirements import check_requirements, with_required
from presets.builders import stored


def shelf(**requires: tuple[str, ...]) -> dict[str, Preset]:
    """Presets by slug, with what each requires."""
    return {
        slug: stored(slug, number, parameters={"x": (1,)}, requires=needed)
        for number, (slug, needed) in enumerate(requires.items(), 1)
    }


def order(known: dict[str, Preset], *asked: str) -> list[str]:
    return [preset.slug for preset in with_required([known[slug] for slug in asked], known.get)]


def test_required_presets_come_before_the_one_that_requires_them() -> None:
    known = shelf(a=("b", "c"), b=("d",), c=("d",), d=(), e=())
    assert order(known, "a") == ["d", "b", "c", "a"]
    assert order(known, "e", "a") == ["e", "d", "b", "c", "a"]
    assert order(known, "d", "a") == ["d", "b", "c", "a"]
    assert order(known) == []


def test_one_that_is_asked_for_twice_counts_where_it_comes_last() -> None:
    known = shelf(a=(), b=())
    assert order(known, "a", "b", "a") == ["b", "a"]


@pytest.mark.parametrize("asked", ["a", "b", "c"])
def test_a_circle_is_refused_with_its_way(asked: str) -> None:
    known = shelf(a=("b",), b=("c",), c=("a",))
    with pytest.raises(AutotunerError) as caught:
        order(known, asked)
    assert caught.value.code is ErrorCode.CONTRADICTION
    assert "circle" in caught.value.what
    way = caught.value.why.split(" → ")
    assert way[0] == way[-1]
    assert set(way) == {"a", "b", "c"}


def test_a_required_preset_that_is_gone_is_named() -> None:
    with pytest.raises(AutotunerError) as caught:
        order(shelf(a=("gone",)), "a")
    assert caught.value.what == "Preset not found"
    assert "gone" in caught.value.why


def test_a_preset_is_checked_before_it_is_stored() -> None:
    known = shelf(a=("b",), b=())
    check_requirements("new", ["a", "b"], known.get)
    for slug, requires, code in (
        ("b", ["a"], ErrorCode.CONTRADICTION),
        ("new", ["new"], ErrorCode.CONTRADICTION),
        ("new", ["nobody"], ErrorCode.NOT_FOUND),
    ):
        with pytest.raises(AutotunerError) as caught:
            check_requirements(slug, requires, known.get)
        assert caught.value.code is code


def test_a_long_chain_is_no_deep_recursion() -> None:
    known = shelf(**{f"p{n}": (f"p{n + 1}",) for n in range(3000)}, p3000=())
    assert order(known, "p0")[0] == "p3000"


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3, unique=True)))
def test_any_requirements_end_in_an_order_or_a_refusal(requires: dict[str, list[str]]) -> None:
    known = shelf(**{slug: tuple(needed) for slug, needed in requires.items()})
    for slug in known:
        try:
            found = order(known, slug)
        except AutotunerError:
            continue
        assert found[-1] == slug
        assert len(found) == len(set(found))
        for position, one in enumerate(found):
            assert all(needed in found[:position] for needed in known[one].requires)
