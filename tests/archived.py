"""A finished task with files, run once, and stores to import it into."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.services.archive import write_archive
from autotuner.services.documents import demo_document
from autotuner.services.queries import task_result
from autotuner.services.settings import Settings, load_settings
from autotuner.services.tasks import run_task
from autotuner.store import open_store


class Silent:
    """An observer that shows nothing."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        pass

    def on_message(self, message: str) -> None:
        pass


def settings_at(folder: Path, database: str | None = None) -> Settings:
    """Settings with a data folder of their own."""
    given = {"AUTOTUNER_DATA_DIR": str(folder), "HOME": str(folder)}
    return load_settings(given if database is None else {**given, "AUTOTUNER_DATABASE_URL": database})


@dataclass(frozen=True)
class Source:
    """The store that holds task 1, its archive, and its result."""

    settings: Settings
    archive: bytes
    result: TaskResult


async def made(folder: Path, *sets: str) -> Source:
    """Run a small task on predictions, and put files beside each of its starts."""
    settings = settings_at(folder)
    await run_task(
        demo_document(sets=["optimization.max_iterations=4", "optimization.confirm.starts=2", *sets]),
        settings,
        Silent(),
    )
    async with open_store(settings.database) as store:
        for attempt in await store.list_attempts(1):
            assert attempt.job is not None
            place = Path(attempt.job.artefact_dir)
            (place / "raw").mkdir(parents=True, exist_ok=True)
            (place / "server.log").write_text(f"start {attempt.id}\n<b>ready</b>\n" * 20, encoding="utf-8")
            (place / "raw" / "out.json").write_text("{}", encoding="utf-8")
        task = await store.get_task(1)
        result = await task_result(store, task, settings)
    return Source(settings, exported(settings, 1), result)


def exported(settings: Settings, task_id: int) -> bytes:
    """The archive of a task."""
    file = io.BytesIO()
    write_archive(settings, task_id, file)
    return file.getvalue()


def members(archive: bytes) -> dict[str, bytes]:
    """What an archive holds."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def packed(content: Mapping[str, bytes], *, change: Callable[[zipfile.ZipInfo], None] | None = None) -> bytes:
    """A ZIP file of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in content.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if change is not None:
                change(info)
            made.writestr(info, data)
    return file.getvalue()


def listed(content: Mapping[str, bytes], **changes: Any) -> dict[str, bytes]:
    """The same members with a manifest that tells the truth about them, and these changes of it."""
    from hashlib import sha256

    manifest = json.loads(content["manifest.json"]) | changes
    files = {name: data for name, data in content.items() if name != "manifest.json"}
    manifest["members"] = [
        {"path": name, "size": len(data), "sha256": sha256(data).hexdigest()} for name, data in files.items()
    ]
    return files | {"manifest.json": json.dumps(manifest).encode()}


def without_numbers(result: TaskResult) -> dict[str, Any]:
    """A result without the numbers and the name that an import changes."""
    data = result.model_dump(mode="json")

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            inner = {key: strip(item) for key, item in value.items()}
            return {key: item for key, item in inner.items() if not (key == "id" and "number" in inner)}
        return [strip(item) for item in value] if isinstance(value, list) else value

    stripped: dict[str, Any] = strip(data)
    return {key: value for key, value in stripped.items() if key not in {"task_id", "task_name"}}
