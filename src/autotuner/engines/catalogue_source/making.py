"""One catalogue per engine and version, from what their sources declare and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from autotuner.contracts.engine import Catalogue, CatalogueParameter, CatalogueSource, GoneFlag
from autotuner.engines.catalogue_source import vllm, written
from autotuner.engines.catalogue_source.sglang import FIELDS, read_sglang
from autotuner.engines.catalogue_source.wheels import WHEELS, OpenWheel, wheel
from autotuner.engines.catalogues.marks import knowledge, marked
from autotuner.engines.catalogues.options import ParserOption, gone_of, parameters_of
from autotuner.engines.catalogues.shelf import version_key

NOTE = "Apache-2.0; the meanings are the first sentences of the engine's own help texts"


def made(engine: str, cache: Path) -> list[Catalogue]:
    """The catalogues of an engine, the oldest version first. WheelError, UnknownError."""
    return _MAKERS[engine](cache)


def _read(engine: str, cache: Path, read: Callable[[OpenWheel], Sequence[ParserOption]]) -> list[Catalogue]:
    found: list[Catalogue] = []
    versions = WHEELS[engine]
    for version in sorted(versions, key=version_key):
        package = wheel(versions[version], cache)
        found.append(_catalogue(engine, version, package, read(package), found[-1] if found else None))
    return found


def _catalogue(
    engine: str, version: str, package: OpenWheel, options: Sequence[ParserOption], before: Catalogue | None
) -> Catalogue:
    known = knowledge(engine)
    parameters = marked(known, parameters_of(options))
    flags = {flag for entry in parameters for flag in (entry.flag, *entry.flags, *entry.off_flags)}
    gone = [*known.gone, *gone_of(options)]
    if before is not None:
        parameters = tuple(_dated(entry, before, version) for entry in parameters)
        named = {entry.flag for entry in gone}
        gone += [GoneFlag(flag=flag, gone=version) for flag in before.by_flag if flag not in flags | named]
        gone += [entry for entry in before.gone if entry.flag not in {one.flag for one in gone}]
    return Catalogue(
        engine=engine,
        version=version,
        source=CatalogueSource(kind="wheel", name=package.path.name, sha256=package.sha256, note=NOTE),
        parameters=parameters,
        gone=tuple(sorted((entry for entry in gone if entry.flag not in flags), key=lambda entry: entry.flag)),
        programs=known.programs,
        positionals=known.positionals,
        dotted_json=known.dotted_json,
    )


def _dated(entry: CatalogueParameter, before: Catalogue, version: str) -> CatalogueParameter:
    earlier = next((one for one in before.parameters if one.name == entry.name), None)
    return entry.model_copy(update={"since": version if earlier is None else earlier.since})


def _vllm(package: OpenWheel) -> Sequence[ParserOption]:
    return vllm.read_vllm(package.source())


def _sglang(package: OpenWheel) -> Sequence[ParserOption]:
    folder = FIELDS.replace(".", "/") + "/"
    names = [name.removeprefix(folder).removesuffix(".py") for name in package.names(folder, ".py")]
    return read_sglang(package.source(), [name for name in names if name != "__init__"])


_MAKERS: Mapping[str, Callable[[Path], list[Catalogue]]] = {
    "llamacpp": lambda _: [written.llamacpp()],
    "sglang": lambda cache: _read("sglang", cache, _sglang),
    "tensorrt-llm": lambda _: [written.tensorrt_llm()],
    "vllm": lambda cache: _read("vllm", cache, _vllm),
}
ENGINES = tuple(_MAKERS)
