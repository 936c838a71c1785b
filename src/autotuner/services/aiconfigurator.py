"""Files of aiconfigurator: read into task documents that can be run, and written from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from autotuner.aiconfigurator.companions import Companions, with_companions
from autotuner.aiconfigurator.content import Content, Generation
from autotuner.aiconfigurator.export import Exported, Format, export, raw_of, role_of
from autotuner.aiconfigurator.launching import Launching
from autotuner.aiconfigurator.sniffing import Chosen, read_text
from autotuner.aiconfigurator.task import Imported, tasks
from autotuner.aiconfigurator.vocabulary import model_id
from autotuner.config.document import TaskDocument
from autotuner.config.load import validate
from autotuner.config.text import MAX_BYTES, Data, read, write
from autotuner.contracts.engine import PlanContext
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen, Scalar
from autotuner.engines.aiconfigurator import LAUNCHINGS, USUAL, launching_named, launching_of, possible
from autotuner.engines.registry import ENGINES
from autotuner.engines.registry import engine as engine_named
from autotuner.planning.forms import STRUCTURED_FORM
from autotuner.services.export import exported
from autotuner.services.planning import engine_of, plan_document
from autotuner.services.settings import Settings

CHOSEN = "generator_config.yaml"
TABLE = "best_config_topn.csv"
SPACE = "exp_config.yaml"
ENGINE_FILE = "agg_config.yaml"

DEEPEST = 4
"""Levels below a folder at which results are looked for: aiconfigurator has three."""
SHOWN_FOLDERS = 10


class Difference(Frozen):
    """Something that the file says and the task says otherwise, or not at all."""

    place: str = Field(description="key path in the file")
    said: str = Field(description="what the file says")
    became: str = Field(description="what stands in the task instead")
    why: str = Field(description="the reason")


class ImportedTask(Frozen):
    """A task that a file became."""

    name: str = Field(description="name of the task")
    generation: Generation = Field(description="which of aiconfigurator's kinds of files it was read as")
    engine: str = Field(description="engine that the task starts")
    text: str = Field(description="the task document, YAML")
    losses: tuple[Difference, ...] = Field(description="what came over otherwise, or not at all")
    unknown: tuple[str, ...] = Field(description="keys of the file that are not known; they are kept in metadata")
    kept: tuple[str, ...] = Field(description="known keys without a counterpart; they are kept in metadata")
    remarks: tuple[str, ...] = Field(description="what a reader must know")
    problem: str | None = Field(None, description="why it cannot be run as it stands; null: it can be planned")
    configurations: int | None = Field(None, description="number of configurations of its plan")


@dataclass(frozen=True)
class Wanted:
    """How a file is imported."""

    engine: str | None = None
    """Engine of ours; None: the one that the file names."""
    experiment: str | None = None
    """Of a file with several."""
    row: int | None = None
    """Of a table, or of the configurations in a folder, from 1."""


def import_path(path: str, wanted: Wanted, settings: Settings) -> list[ImportedTask]:
    """The tasks of a file, or of the folder that aiconfigurator wrote.

    AutotunerError: MISSING_FILE, INVALID_DOCUMENT for what is no such file, INVALID_VALUE, CONTRADICTION, NOT_FOUND for
    another experiment or row, UNSUPPORTED for what no engine here, or not this one, can do.
    """
    file = _file(Path(path), wanted.row)
    contents = read_text(_read_file(file), name=file.name, chosen=Chosen(wanted.experiment, wanted.row))
    beside = _companions(file, contents)
    return _imported([with_companions(content, beside) for content in contents], wanted, settings)


def import_text(text: str, wanted: Wanted, settings: Settings, *, name: str = "the file") -> list[ImportedTask]:
    """The tasks of a file's text, without what lies beside the file. AutotunerError as of ``import_path``."""
    return _imported(read_text(text, name=name, chosen=Chosen(wanted.experiment, wanted.row)), wanted, settings)


async def export_task(source: str, form: Format, settings: Settings) -> Exported:
    """A task file or a stored task (name or number) as a file of aiconfigurator.

    AutotunerError: MISSING_FILE or NOT_FOUND where there is no such task, and as for ``export_document``.
    """
    # Flags that a field of a block says count as that field.
    structured = await exported(source, settings, form=STRUCTURED_FORM)
    return export_document(validate(structured.data, name=source), form)


def export_document(document: TaskDocument, form: Format) -> Exported:
    """A document as a file of aiconfigurator. AutotunerError: UNSUPPORTED for what it cannot hold."""
    launching = _known_there(engine_of(document).name)
    return export(document, form, launching, imported=_imported_again(document, form, launching))


# ---- tasks


def _imported(contents: list[Content], wanted: Wanted, settings: Settings) -> list[ImportedTask]:
    return _named_apart([task for content in contents for task in _tasks(content, wanted.engine, settings)])


def _tasks(content: Content, engine: str | None, settings: Settings) -> Iterator[ImportedTask]:
    launching, remark = _launching(content, engine)
    for one in _made(content, launching):
        document = validate(one.document, name=one.name)
        configurations, problem = _planned(document, settings)
        yield ImportedTask(
            name=one.name,
            generation=content.generation,
            engine=launching.engine,
            text=write(one.document),
            losses=tuple(
                Difference(place=loss.place, said=loss.said, became=loss.became, why=loss.why) for loss in one.losses
            ),
            unknown=content.unknown,
            kept=one.kept,
            remarks=(*([remark] if remark else []), *one.remarks),
            problem=problem,
            configurations=configurations,
        )


def _made(content: Content, launching: Launching) -> list[Imported]:
    engine = engine_named(launching.engine)
    context = PlanContext(model=model_id(content.model)[0], gpu_type=content.system)

    def refusal(group: str, field: str, value: Scalar) -> str | None:
        return possible(engine, context, group, field, value)

    return tasks(content, launching, refusal)


def _launching(content: Content, engine: str | None) -> tuple[Launching, str | None]:
    """How the engine is started, and what is to be said of its choice."""
    named = launching_named(content.backend, content.image)
    if engine is not None:
        asked = _known_there(ENGINES.resolve(engine))
        if named is None or named.engine == asked.engine:
            return asked, None
        return asked, f"the file is for {named.engine}: what it predicts holds for that"
    if named is not None:
        return named, None
    said = f"the file is for {content.backend}" if content.backend else "the file names no engine"
    return USUAL, f"{said}, so {USUAL.engine} is taken; --engine names another one"


def _known_there(engine: str) -> Launching:
    launching = launching_of(engine)
    if launching is None:
        known = ", ".join(one.engine for one in LAUNCHINGS)
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"aiconfigurator has nothing for {engine}",
            why=f"it knows {known}",
            remedy="Name one of these",
            place="base_runtime",
        )
    return launching


def _planned(document: TaskDocument, settings: Settings) -> tuple[int | None, str | None]:
    """Number of configurations, or why there is no plan."""
    try:
        plan = plan_document(document, settings)
    except AutotunerError as error:
        return None, f"{error.what}: {error.why}"
    return plan.count.distinct, None


def _named_apart(found: list[ImportedTask]) -> list[ImportedTask]:
    """With a number behind names that come again."""
    seen: dict[str, int] = {}
    named: list[ImportedTask] = []
    for task in found:
        seen[task.name] = seen.get(task.name, 0) + 1
        if seen[task.name] > 1:
            name = f"{task.name}-{seen[task.name]}"
            text = task.text.replace(f"task_name: {task.name}\n", f"task_name: {name}\n", 1)
            task = task.model_copy(update={"name": name, "text": text})
        named.append(task)
    return named


def _imported_again(document: TaskDocument, form: Format, launching: Launching) -> TaskDocument | None:
    """What the file in the metadata becomes now; None where there is none, or somebody changed it."""
    raw = raw_of(document, form)
    if raw is None:
        return None
    try:
        (content,) = read_text(write(dict(raw)), name="metadata.aiconfigurator_source_raw")
        made = {one.role: one for one in _made(content, launching)}
        return validate(made[role_of(document)].document)
    except (AutotunerError, KeyError, ValueError):
        return None


# ---- files


def _file(path: Path, row: int | None) -> Path:
    """The file itself, or the one of a folder that says most."""
    if not path.is_dir():
        return path
    inside = [f"top{row or 1}/{CHOSEN}", TABLE, SPACE]
    inside = inside if row is not None else [CHOSEN, *inside]
    for name in inside:
        if (path / name).is_file():
            return path / name
    below = sorted(_outputs(path, DEEPEST))
    if len(below) == 1:
        return _file(below[0], row)
    if below:
        raise AutotunerError(
            ErrorCode.CONTRADICTION,
            "the folder has several results of aiconfigurator",
            why=", ".join(str(child.relative_to(path)) for child in below[:SHOWN_FOLDERS]),
            remedy="Name one of these folders",
            place=str(path),
        )
    raise AutotunerError(
        ErrorCode.MISSING_FILE,
        "the folder has no file of aiconfigurator",
        why=f"there is neither {CHOSEN} nor {TABLE} nor {SPACE} in it",
        remedy="Name the folder of one experiment, or a file",
        place=str(path),
    )


def _outputs(folder: Path, depth: int) -> Iterator[Path]:
    """Folders below one that have results."""
    try:
        inside = [child for child in folder.iterdir() if child.is_dir() and not child.is_symlink()]
    except OSError:
        return
    for child in inside:
        if any((child / name).is_file() for name in (CHOSEN, TABLE, SPACE)):
            yield child
        elif depth > 1:
            yield from _outputs(child, depth - 1)


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise AutotunerError(
            ErrorCode.MISSING_FILE,
            "the file cannot be read",
            why=(error.strerror or str(error)).lower(),
            remedy="Give a file of aiconfigurator, or the folder that it wrote",
            place=str(path),
        ) from None
    if len(content) > MAX_BYTES:
        raise _no_such_file(path, f"it has more than {MAX_BYTES} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _no_such_file(path, f"byte {error.start} is not UTF-8") from None


def _no_such_file(path: Path, why: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.INVALID_DOCUMENT,
        "this is no file of aiconfigurator",
        why=why,
        remedy="Give YAML, JSON or CSV that it wrote",
        place=str(path),
    )


def _companions(file: Path, contents: list[Content]) -> Companions:
    """What lies beside a chosen configuration or a table. A file that cannot be read is as if it were not there."""
    generation = contents[0].generation
    if generation not in ("E", "F"):
        return Companions()
    folder = file.parent
    number = folder.name.removeprefix("top")
    above = folder.parent if generation == "E" and number.isdecimal() and folder.name != number else folder
    return Companions(
        experiment=_beside(above / SPACE, None),
        row=_beside(above / TABLE, int(number)) if above is not folder else None,
        memory_fraction=_memory_fraction(folder / ENGINE_FILE) if generation == "E" else None,
    )


def _beside(file: Path, row: int | None) -> Content | None:
    if not file.is_file():
        return None
    try:
        return next(iter(read_text(_read_file(file), name=file.name, chosen=Chosen(row=row))), None)
    except AutotunerError:
        return None


def _memory_fraction(file: Path) -> float | None:
    """Share of the free memory for the KV cache, as an engine's own configuration file has it."""
    if not file.is_file():
        return None
    try:
        data: Data = read(_read_file(file), name=file.name)
    except AutotunerError:
        return None
    cache = data.get("kv_cache_config") if isinstance(data, dict) else None
    value = cache.get("free_gpu_memory_fraction") if isinstance(cache, dict) else None
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if usable and isinstance(value, int | float) else None
