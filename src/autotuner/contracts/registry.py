"""Plug-ins of one kind by name: imported when first asked for, so heavy libraries wait until then."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from autotuner.contracts.errors import AutotunerError, ErrorCode

T = TypeVar("T")


@dataclass(frozen=True)
class Registry(Generic[T]):
    """Names to ``"package.module:attribute"``.

    ``kind``: what an error calls them. ``group``: entry-point group under which other distributions offer theirs (the
    built-in names can't be taken). ``place``: the document's key, for errors. ``preferred``: comes first in lists.
    """

    kind: str
    group: str
    place: str
    built_in: Mapping[str, str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    preferred: str | None = None

    def names(self) -> list[str]:
        """All registered names without aliases, the preferred one first."""
        return sorted(self._targets(), key=lambda name: (name != self.preferred, name))

    def resolve(self, name: str) -> str:
        """The registered name for a name or alias, in any case; a dash is an underscore.

        AutotunerError(UNKNOWN_NAME) with the nearest name.
        """
        wanted = name.strip().lower().replace("-", "_")
        wanted = self.aliases.get(wanted, wanted)
        names = {known.replace("-", "_"): known for known in self.names()}
        if wanted in names:
            return names[wanted]
        near = difflib.get_close_matches(wanted, [*names, *self.aliases], n=1)
        raise AutotunerError(
            ErrorCode.UNKNOWN_NAME,
            f"there is no {self.kind} {name!r}",
            why=f"there is {', '.join(self.names())}",
            remedy=f"Did you mean {names.get(near[0], near[0])!r}?" if near else "Use one of these names",
            place=self.place,
        )

    def load(self, name: str) -> T:
        """What is registered under a name or alias (a class or factory, for the caller to call).

        AutotunerError: UNKNOWN_NAME, or MISSING_EXTRA when it can't be imported.
        """
        resolved = self.resolve(name)
        module, _, attribute = self._targets()[resolved].partition(":")
        try:
            found: T = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise AutotunerError(
                ErrorCode.MISSING_EXTRA,
                f"the {self.kind} {resolved} cannot be loaded",
                why=str(error),
                remedy="Install or repair the package that provides it",
                place=self.place,
            ) from error
        return found

    def _targets(self) -> dict[str, str]:
        return _offered(self.group) | dict(self.built_in)


@cache
def _offered(group: str) -> dict[str, str]:
    """What other distributions offer; looked up once in a process, as it reads a file of each of them."""
    return {point.name.lower(): point.value for point in entry_points(group=group)}
