"""Whether a task has a quality guard, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from autotuner.config.document import TaskDocument
from autotuner.config.parameters import Fixed
from autotuner.contracts.engine import CatalogueParameter, Engine
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.quality import BASELINE_PASSES, PASSES, PromptSet, QualityProbe
from autotuner.contracts.values import MODEL_KEY, Configuration
from autotuner.planning.parameters import Given

PASS_S = 2.0
"""What one pass over the prompts typically takes, seconds."""


def quality_probe(
    document: TaskDocument,
    engine: Engine,
    given: Mapping[str, Given],
    references: Sequence[tuple[Mapping[str, Given], Configuration]],
    prompts: PromptSet | None,
    neutral: Callable[[str], CatalogueParameter | None],
) -> tuple[QualityProbe | None, str]:
    """How answers are taken (None: not at all), and the reason in a clause.

    Without a word of the document there is a guard when something that is searched may change answers: a parameter that
    the catalogue or the engine's table of settings calls lossy, or the model file; a reference counts too.
    ``neutral``: the setting of a name such as ``__quant__gemm_dtype``. AutotunerError(UNSUPPORTED) when one is asked
    for and the engine has no answers.
    """
    quality = document.quality
    asked = quality.enabled is True or quality.limit is not None
    if asked and engine.predicted:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"the answers of {engine.name} cannot be compared",
            why="its figures are predictions: there is no server that answers",
            remedy="Leave quality out",
            place="quality.enabled" if quality.enabled else "quality.limit",
        )
    if quality.enabled is False:
        return None, "switched off"
    if prompts is None or engine.predicted:
        return None, "predictions have no answers" if engine.predicted else "there are no prompts"
    lossy = list(dict.fromkeys(_lossy(document, given, references, neutral)))
    if not asked and not lossy:
        return None, "nothing that is searched may change them"
    if not document.optimization.baseline:
        return None, "the baseline, with whose answers they would be compared, is switched off"
    if lossy:
        return QualityProbe(prompts=prompts), f"{', '.join(lossy)} may change them"
    return QualityProbe(prompts=prompts), "the document asks for it"


def probe_seconds(probe: QualityProbe | None, starts: int) -> float:
    """What the guard adds to so many starts, of which one is the baseline's; seconds, a guess."""
    return 0.0 if probe is None else PASS_S * (len(BASELINE_PASSES) + len(PASSES) * (starts - 1))


def _lossy(
    document: TaskDocument,
    given: Mapping[str, Given],
    references: Sequence[tuple[Mapping[str, Given], Configuration]],
    neutral: Callable[[str], CatalogueParameter | None],
) -> Iterator[str]:
    """Names of what may change answers between two configurations of the task."""
    if len(document.model.files) > 1:
        yield "the model file"
    for flags in (given, *(flags for flags, _ in references)):
        for parameter in flags.values():
            searched = flags is not given or not isinstance(parameter.spec, Fixed)
            if searched and parameter.known is not None and parameter.known.lossy:
                yield parameter.spelling
    for _, own in references:
        for name in own:
            known = neutral(name)
            if name == MODEL_KEY:
                yield "the model file"
            elif known is not None and known.lossy:
                yield name
