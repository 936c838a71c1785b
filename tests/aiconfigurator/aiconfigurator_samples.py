"""The samples, and shortcuts from a file to documents and plans."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from autotuner.aiconfigurator.content import Content
from autotuner.aiconfigurator.launching import Launching
from autotuner.aiconfigurator.sniffing import Chosen, read_text
from autotuner.aiconfigurator.task import Imported, tasks
from autotuner.config.document import TaskDocument
from autotuner.config.load import validate
from autotuner.config.text import write
from autotuner.contracts.engine import PlanContext
from autotuner.contracts.values import Scalar
from autotuner.engines.aiconfigurator import USUAL, launching_named, launching_of, possible
from autotuner.engines.registry import engine
from autotuner.planning.plan import Plan
from autotuner.planning.planner import HostFacts, make_plan
from autotuner.planning.resolve import ModelFile

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "aiconfigurator"
SHARED = ROOT.parent / "shared" / "aiconfigurator-samples"

NOT_IMPORTED = ("README.md", "ORIGIN.md", "run_0.sh", "k8s_deploy.yaml", "agg_config.yaml")
"""Files of the folders that tell no configuration of their own."""


def importable(folder: Path) -> list[Path]:
    """Files of a folder of samples that can be imported."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in NOT_IMPORTED)


def launching(content: Content, name: str | None = None) -> Launching:
    """How the engine of that name is started, else the one of the file."""
    found = launching_of(name) if name is not None else launching_named(content.backend, content.image)
    return found or USUAL


def imported(content: Content, name: str | None = None) -> list[Imported]:
    """The tasks of a content."""
    of = engine(launching(content, name).engine)
    context = PlanContext(model=content.model, gpu_type=content.system)

    def refusal(group: str, field: str, value: Scalar) -> str | None:
        return possible(of, context, group, field, value)

    return tasks(content, launching(content, name), refusal)


def contents(path: Path, **chosen: str | int) -> list[Content]:
    """What a sample says."""
    return read_text(path.read_text(encoding="utf-8"), name=path.name, chosen=Chosen(**chosen))  # type: ignore[arg-type]


def of_data(data: Mapping[str, object], name: str | None = None) -> Imported:
    """The one task of a file with these data."""
    (content,) = read_text(write(dict(data)), name="file.yaml")  # type: ignore[arg-type]
    (task,) = imported(content, name)
    return task


def document(task: Imported) -> TaskDocument:
    """The checked document of a task."""
    return validate(task.document, name=task.name)


def plan(made: TaskDocument, *, known: Mapping[str, object] | None = None) -> Plan:
    """Its plan, on a host of two cores and no GPUs."""
    name = made.model.files[0]
    return make_plan(
        made,
        engine=engine(str(made.base_runtime)),
        models=[ModelFile(name, name, known or {})],
        host=HostFacts(cores=(0, 1)),
        rng=random.Random(0),
    )


def all_argv(made: Plan) -> list[str]:
    """The arguments of every configuration behind the address, one line each."""
    words = [made.resolver.command(configuration).argv for configuration in made.space.enumerate()]
    return [" ".join(argv[argv.index("{port}") + 1 :]) for argv in words]


def all_tasks(folder: Path) -> Iterator[tuple[Path, Imported]]:
    """Every task of every importable file of a folder."""
    for path in importable(folder):
        for content in contents(path):
            for task in imported(content):
                yield path, task
