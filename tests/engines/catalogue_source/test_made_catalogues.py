"""The generator: it reproduces the committed files, from packages that it downloads once."""

import os
from pathlib import Path

import pytest

from autotuner.engines.catalogue_source.__main__ import CACHE, FOLDER, main
from autotuner.engines.catalogue_source.making import ENGINES, made
from autotuner.engines.catalogue_source.wheels import WHEELS, WheelError, wheel
from autotuner.engines.catalogues.shelf import Shelf, as_text, file_name

WHEEL_FOLDER = Path(os.environ.get("AUTOTUNER_TEST_WHEELS", CACHE))
WITHOUT_WHEELS = ("llamacpp", "tensorrt-llm")


@pytest.mark.parametrize("engine", WITHOUT_WHEELS)
def test_what_needs_no_package_is_reproduced(engine: str, tmp_path: Path) -> None:
    assert main([engine, "--cache", str(tmp_path / "cache"), "--output", str(tmp_path)]) == 0
    compare(tmp_path, engine)


@pytest.mark.slow
@pytest.mark.parametrize("engine", sorted(set(ENGINES) - set(WITHOUT_WHEELS)))
def test_what_is_read_from_packages_is_reproduced(engine: str, tmp_path: Path) -> None:
    for asked in WHEELS[engine].values():
        try:
            wheel(asked, WHEEL_FOLDER)
        except WheelError as error:
            pytest.skip(f"without its package: {error}")
    assert main([engine, "--cache", str(WHEEL_FOLDER), "--output", str(tmp_path)]) == 0
    compare(tmp_path, engine)
    assert [as_text(one) for one in made(engine, WHEEL_FOLDER)] == [as_text(one) for one in made(engine, WHEEL_FOLDER)]


def compare(folder: Path, engine: str) -> None:
    held = Shelf().versions(engine)
    assert sorted(path.name for path in folder.glob("*.json")) == sorted(file_name(engine, h.version) for h in held)
    for one in held:
        name = file_name(engine, one.version)
        assert (folder / name).read_bytes() == (FOLDER / name).read_bytes(), f"run: make catalogues ({name})"


def test_an_unknown_engine_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["vlm"])
    assert ended.value.code == 2
    assert "there is no vlm" in capsys.readouterr().err
