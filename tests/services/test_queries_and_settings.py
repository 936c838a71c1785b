"""Reading what is stored, and where things come from: settings, documents, models, plug-ins, the host."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autotuner.config.document import TaskDocument
from autotuner.config.load import validate
from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.store import EventType, NewEvent, NewTask, Store, TaskStatus
from autotuner.engines.registry import engine
from autotuner.services.documents import demo_document, quick_document, read_document
from autotuner.services.host import describe_host, host_facts
from autotuner.services.models import model_path, resolve_models
from autotuner.services.planning import check_ready, engine_of, plan_document
from autotuner.services.plugins import EXECUTORS, InstalledPlugins
from autotuner.services.queries import (
    experiments_by_number,
    named_task,
    server_logs,
    task_result,
    winning_job,
)
from autotuner.services.settings import Settings, load_settings
from autotuner.services.tasks import run_task
from autotuner.store import open_store


class Silent:
    def on_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        pass

    def on_message(self, message: str) -> None:
        pass


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path), "HOME": str(tmp_path)})


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    async with open_store(settings.database) as opened:
        yield opened


async def run_demo(settings: Settings, *sets: str) -> None:
    few = ["optimization.max_iterations=3", "optimization.confirm.starts=2"]
    await run_task(demo_document(sets=[*few, *sets]), settings, Silent())


# ---- queries


async def test_tasks_are_found_by_name_number_or_as_the_newest(store: Store) -> None:
    made = [await store.create_task(NewTask(name=f"t{n}", document={}, fingerprint="f")) for n in range(25)]
    assert (await named_task(store, "t3")).id == made[3].id
    assert (await named_task(store, None)).id == made[-1].id
    # An old one too, of which no list of the newest speaks.
    assert (await named_task(store, str(made[0].id))).name == "t0"
    await store.delete_task(made[0].id)
    for missing in ("nobody", str(made[0].id), "9999"):
        with pytest.raises(AutotunerError) as caught:
            await named_task(store, missing)
        assert caught.value.code is ErrorCode.NOT_FOUND
        assert "t24" in caught.value.why


async def test_a_name_that_is_a_number_comes_first(store: Store) -> None:
    first = await store.create_task(NewTask(name="2", document={}, fingerprint="f"))
    await store.create_task(NewTask(name="other", document={}, fingerprint="f"))
    assert (await named_task(store, "2")).id == first.id


async def test_without_any_task_it_says_so(store: Store) -> None:
    with pytest.raises(AutotunerError, match="there is no task yet"):
        await named_task(store, None)


async def test_results_winner_and_logs_of_a_finished_task(store: Store, settings: Settings) -> None:
    await run_demo(settings)
    task = await named_task(store, "demo")
    result = await task_result(store, task, settings)
    assert task.result is not None
    assert result.model_dump(mode="json") == task.result
    assert result.winner is not None
    job = await winning_job(store, task, result, experiment=None)
    assert job.experiment_number == result.winner.number
    assert (await winning_job(store, task, result, experiment=0)).experiment_number == 0
    with pytest.raises(AutotunerError, match="no configuration to deploy"):
        await winning_job(store, task, result, experiment=99)
    logs = await server_logs(store, task)
    assert len(logs) == result.attempts
    assert {log.experiment for log in await server_logs(store, task, experiment=1)} == {1}
    (one,) = await experiments_by_number(store, task, [1])
    assert one.number == 1
    with pytest.raises(AutotunerError, match="no experiment 99"):
        await experiments_by_number(store, task, [1, 99])


async def test_the_result_of_a_task_that_runs_again_is_not_the_old_one(store: Store, settings: Settings) -> None:
    await run_demo(settings)
    done = await named_task(store, "demo")
    running = await store.change_task(
        done.id, NewEvent(type=EventType.TASK_STARTED), expected=[done.status], status=TaskStatus.RUNNING
    )
    assert running.result is not None
    result = await task_result(store, running, settings)
    assert result.status is TaskStatus.RUNNING
    assert len(result.experiments) == 4
    assert result.winner is not None


async def test_a_task_that_has_not_begun_has_a_result_without_figures(store: Store, settings: Settings) -> None:
    document = demo_document()
    task = await store.create_task(
        NewTask(name="demo", document=document.model_dump(mode="json", exclude_none=True), fingerprint="f")
    )
    result = await task_result(store, task, settings)
    assert result.winner is None
    assert result.experiments == ()
    assert "nothing was measured yet" in result.headline


# ---- settings


def test_paths_are_absolute_and_follow_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    usual = load_settings({"HOME": "/h"})
    assert usual.data_dir == Path("/h/.local/share/inference-autotuner")
    assert usual.database == "/h/.local/share/inference-autotuner/autotuner.db"
    assert load_settings({"HOME": "/h", "XDG_DATA_HOME": "/x"}).data_dir == Path("/x/inference-autotuner")
    assert load_settings({"AUTOTUNER_DATA_DIR": "here"}).data_dir == tmp_path / "here"
    assert load_settings({"AUTOTUNER_EXECUTOR": "ray"}).executor == "ray"


def test_two_databases_share_neither_locks_nor_artefacts() -> None:
    usual = load_settings({"HOME": "/h"})
    other = load_settings({"HOME": "/h", "AUTOTUNER_DATABASE_URL": "/elsewhere/x.db"})
    beside = load_settings({"HOME": "/h", "AUTOTUNER_DATABASE_URL": f"{usual.data_dir}/other.db"})
    server = load_settings({"HOME": "/h", "AUTOTUNER_DATABASE_URL": "postgresql://me@db/x"})
    assert len({s.lock_path(1) for s in (usual, other, beside)}) == 3
    assert len({s.task_dir(1) for s in (usual, other, beside, server)}) == 4
    assert usual.task_dir(1) == usual.artefacts_dir / "task-1"
    # Whoever uses one database file meets at its lock, whatever the data folder is.
    same = load_settings({"HOME": "/somebody", "AUTOTUNER_DATABASE_URL": "sqlite:////elsewhere/x.db"})
    assert same.lock_path(1) == other.lock_path(1)


# ---- documents, models, planning, plug-ins, host


def test_a_file_gives_its_name_to_the_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "chat.yaml"
    file.write_text("model: {id_or_path: tiny}\n")
    assert read_document(str(file)).task_name == "chat"
    assert read_document(str(file), sets=["task_name=mine"]).task_name == "mine"
    monkeypatch.setattr("sys.stdin", io.StringIO("model: {id_or_path: tiny}"))
    assert read_document("-").task_name == "task"


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(AutotunerError) as caught:
        read_document(str(tmp_path / "nowhere.yaml"))
    assert (caught.value.code, caught.value.place) == (ErrorCode.MISSING_FILE, str(tmp_path / "nowhere.yaml"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AutotunerError) as caught:
        read_document(str(tmp_path / "binary"))
    assert caught.value.code is ErrorCode.INVALID_DOCUMENT
    with pytest.raises(AutotunerError):
        read_document(str(tmp_path))


def test_a_quick_task_can_be_planned_for_a_generated_model(settings: Settings) -> None:
    document = quick_document("tiny", settings, objective="minimize_ttft", sets=["optimization.max_iterations=3"])
    plan = plan_document(document, settings)
    assert plan.task_name == "quick-tiny"
    assert plan.searched == 3
    assert plan.document.optimization.objectives == ("minimize_ttft",)
    assert plan.baseline is not None
    assert plan.space.dimensions


def test_generated_models_are_made_once_and_files_are_found(settings: Settings, tmp_path: Path) -> None:
    llamacpp = engine("llamacpp")
    made = Path(model_path("tiny", llamacpp, settings))
    assert made.is_file()
    assert made.is_relative_to(settings.models_dir)
    before = made.stat().st_mtime_ns
    assert model_path("tiny", llamacpp, settings) == str(made)
    assert made.stat().st_mtime_ns == before
    assert model_path(str(made), llamacpp, settings) == str(made)
    assert model_path("org/name", llamacpp, settings) == "org/name"


@pytest.mark.parametrize("name", ["vllm", "sglang", "tensorrt-llm"])
def test_engines_that_serve_folders_get_a_generated_model_as_one(settings: Settings, name: str) -> None:
    document = TaskDocument.model_validate({"base_runtime": name, "model": {"id_or_path": "tiny"}})
    (model,) = resolve_models(document, engine(name), settings)
    folder = Path(model.path)
    assert {"config.json", "tokenizer.json", "model.safetensors"} <= {file.name for file in folder.iterdir()}
    assert model.facts["context_length"] == 4096
    with pytest.raises(AutotunerError) as caught:
        model_path("tiny:q8_0", engine(name), settings)
    assert (caught.value.code, caught.value.place) == (ErrorCode.INVALID_VALUE, "model.id_or_path")
    assert "q8_0 is a type of GGUF files" in caught.value.why


def test_a_task_without_a_model_is_refused(settings: Settings) -> None:
    document = TaskDocument(task_name="t")
    with pytest.raises(AutotunerError) as caught:
        resolve_models(document, engine_of(document), settings)
    assert (caught.value.code, caught.value.place) == (ErrorCode.MISSING_MODEL, "model.id_or_path")


@pytest.mark.parametrize(
    "change",
    [
        "base_runtime=nobody",
        "optimization.strategy=guessing",
        "benchmark.engine=shouting",
        "deployment_mode=by_hand",
    ],
)
def test_unknown_names_are_refused_before_anything_is_planned(settings: Settings, change: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        plan_document(
            validate({"task_name": "t", "model": {"id_or_path": "tiny"}, **_nested(change)}),
            settings,
        )
    assert caught.value.code is ErrorCode.UNKNOWN_NAME


def _nested(change: str) -> dict[str, object]:
    path, _, value = change.partition("=")
    block, _, key = path.partition(".")
    return {block: {key: value}} if key else {block: value}


def test_readiness_is_the_engines_and_an_endpoint_has_none(settings: Settings) -> None:
    assert check_ready(plan_document(demo_document(), settings))
    endpoint = validate(
        {
            "task_name": "e",
            "deployment_mode": "endpoint",
            "deployment": {"endpoint_url": "http://127.0.0.1:9"},
            "model": {"served_name": "m"},
        }
    )
    assert check_ready(plan_document(endpoint, settings)) == ""


def test_plugins_are_found_by_name() -> None:
    plugins = InstalledPlugins()
    for name in ("local", "endpoint", "simulated"):
        assert plugins.deployment(name).name == name
    for name in ("builtin", "simulated"):
        assert plugins.client(name).name == name
    assert EXECUTORS.load("inline")().name == "inline"
    with pytest.raises(AutotunerError) as caught:
        plugins.deployment("nowhere")
    assert caught.value.code is ErrorCode.UNKNOWN_NAME


def test_the_cores_are_those_of_the_process_whatever_thread_asks() -> None:
    whole = host_facts().cores

    def pinned() -> tuple[int, ...]:
        os.sched_setaffinity(0, whole[:1])  # of this thread alone
        return host_facts().cores

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(pinned).result() == whole


def test_the_host_describes_itself() -> None:
    assert host_facts().cores == tuple(sorted(os.sched_getaffinity(os.getpid())))
    described = describe_host()
    assert described["cores"] == len(host_facts().cores)
    assert described["hostname"]
    assert described["cpu_model"]
    assert str(described["memory_kib"]).endswith("kB")


# ---- the file of settings


def written(folder: Path, text: str) -> dict[str, str]:
    """The environment of a data folder whose file of settings holds this."""
    file = folder / "config" / "autotuner.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return {"AUTOTUNER_DATA_DIR": str(folder), "HOME": str(folder)}


def test_the_file_gives_what_the_environment_does_not(tmp_path: Path) -> None:
    text = 'port = 9000\nallowed_hosts = ["Tuner.lan"]\nlog_level = "debug"\n[[webhooks]]\nname = "a"\nurl = "https://h/x"\n'
    environ = written(tmp_path, text)
    found = load_settings(environ)
    assert (found.port, found.allowed_hosts, found.webhooks[0].name) == (9000, ("tuner.lan",), "a")
    more = {"AUTOTUNER_PORT": "9001", "AUTOTUNER_ALLOWED_HOSTS": "a.lan, b.lan:80", "AUTOTUNER_LOG_LEVEL": ""}
    found = load_settings({**environ, **more})
    assert (found.port, found.allowed_hosts, found.log_level) == (9001, ("a.lan", "b.lan:80"), "debug")
    elsewhere = tmp_path / "else.toml"
    elsewhere.write_text('database_url = "x.db"\n')
    assert load_settings({**environ, "AUTOTUNER_CONFIG_FILE": str(elsewhere)}).database == "x.db"


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("prot = 1", ErrorCode.UNKNOWN_KEY, "prot"),
        ("port = ", ErrorCode.INVALID_DOCUMENT, "autotuner.toml"),
        ("port = 70000", ErrorCode.INVALID_VALUE, "autotuner.toml: port"),
        ('token = "something-that-is-secret"', ErrorCode.UNKNOWN_KEY, "token"),
        ('[[webhooks]]\nname = "a"\nurl = "ftp://h"', ErrorCode.INVALID_VALUE, "webhooks[0].url"),
        ('[[webhooks]]\nname = "a"\nurl = "http://h"\nsecret = "abc"', ErrorCode.INVALID_VALUE, "webhooks[0].secret"),
        ('allowed_hosts = ["http://h"]', ErrorCode.INVALID_VALUE, "allowed_hosts[0]"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, code: ErrorCode, place: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        load_settings(written(tmp_path, text))
    assert caught.value.code is code
    assert place in (caught.value.place or "")


def test_a_wrong_variable_is_named_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(AutotunerError) as caught:
        load_settings({"HOME": str(tmp_path), "AUTOTUNER_TOKEN": "short-secret"})
    assert caught.value.place == "AUTOTUNER_TOKEN"
    assert "short-secret" not in str(caught.value)
    with pytest.raises(AutotunerError) as caught:
        load_settings({"HOME": str(tmp_path), "AUTOTUNER_CONFIG_FILE": str(tmp_path / "none.toml")})
    assert caught.value.code is ErrorCode.MISSING_FILE
