"""Which presets are merged when some are asked for: those that they require, each before the one that requires it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.presets import Preset
from autotuner.presets.refusals import not_found

Find = Callable[[str], Preset | None]
"""The preset of that slug."""


def with_required(asked: Sequence[Preset], find: Find) -> tuple[Preset, ...]:
    """The presets in the order of their merge, each once. Asked for twice, one counts where it is asked for last.

    AutotunerError: CONTRADICTION for presets that require each other in a circle, NOT_FOUND for one that is gone.
    """
    last = {preset.slug: number for number, preset in enumerate(asked)}
    order: dict[str, Preset] = {}
    for number, preset in enumerate(asked):
        if last[preset.slug] != number:
            continue
        for one in _before(preset, find):
            if one.slug not in order:
                order[one.slug] = one
        order[preset.slug] = order.pop(preset.slug)
    return tuple(order.values())


def check_requirements(slug: str, requires: Sequence[str], find: Find) -> None:
    """The same errors for a preset that is about to be stored under a slug."""
    for required in requires:
        if find(required) is None and required != slug:
            raise not_found(required, place="requires")
    path = _way(slug, requires, find)
    if path is not None:
        raise _circle(path)


def _before(preset: Preset, find: Find) -> list[Preset]:
    """A preset with everything that it requires, in order: depth first, without recursion."""
    done: dict[str, Preset] = {}
    path: list[tuple[Preset, list[str]]] = [(preset, list(preset.requires))]
    while path:
        here, waiting = path[-1]
        if not waiting:
            done[here.slug] = here
            path.pop()
            continue
        slug = waiting.pop(0)
        if slug in done:
            continue
        names = [one.slug for one, _ in path]
        if slug in names:
            raise _circle([*names[names.index(slug) :], slug])
        found = find(slug)
        if found is None:
            raise not_found(slug, place=f"requires of {here.slug}")
        path.append((found, list(found.requires)))
    return list(done.values())


def _way(goal: str, requires: Sequence[str], find: Find) -> list[str] | None:
    """A way from a preset over what it requires back to itself; None where there is none."""
    waiting = [(slug, [goal, slug]) for slug in requires]
    seen: set[str] = set()
    while waiting:
        slug, path = waiting.pop()
        if slug == goal:
            return path
        if slug not in seen:
            seen.add(slug)
            found = find(slug)
            waiting += [(further, [*path, further]) for further in (found.requires if found is not None else ())]
    return None


def _circle(path: Sequence[str]) -> AutotunerError:
    return AutotunerError(
        ErrorCode.CONTRADICTION,
        "Presets require each other in a circle",
        why=" → ".join(path),
        remedy="Take one of these requirements out",
        place="requires",
    )
