"""The log is bounded, keeps both ends, tells what it lacks, and never holds a secret."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from autotuner.deploy.local.server_log import ServerLog

SECRET = b"s3cr3t-s3cr3s"


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(
    st.lists(st.sampled_from([SECRET, SECRET[:-1], SECRET[1:], SECRET[:6], b"words\n", b"s"]), max_size=30),
    st.lists(st.integers(0, 400), max_size=30),
)
def test_a_secret_never_gets_into_the_file_however_it_is_cut(words: list[bytes], cuts: list[int]) -> None:
    data = b"".join(words)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        log = ServerLog(str(path), [SECRET])
        for piece in pieces(data, cuts):
            log.write(piece)
        log.close()
        assert path.read_bytes() == data.replace(SECRET, b"***")


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60))
def test_the_file_is_bounded_and_keeps_both_ends(lengths: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        log = ServerLog(str(path), [], most=1000)
        whole = b""
        for number, length in enumerate(lengths):
            line = (f"{number:04d} " + "x" * length + "\n").encode()
            whole += line
            log.write(line)
        log.close()
        kept = path.read_bytes()
        assert len(kept) <= 1000
        if len(whole) <= 1000:
            assert kept == whole
        else:
            assert kept[:250] == whole[:250]
            assert kept[-100:] == whole[-100:]
            assert b"are left out here" in kept


def test_a_full_disk_costs_what_does_not_fit_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.symlink_to("/dev/full")
    log = ServerLog(str(path), [])
    log.write(b"lost\n" * 10)
    log.write(b"lost\n" * 10)
    path.unlink()
    # The disk has room again: the same log, whose file can be written now.
    other = ServerLog(str(path), [])
    log._file = other._file
    log.write(b"found\n")
    log.close()
    assert path.read_bytes() == b"\n[autotuner: 100 bytes could not be written here]\nfound\n"
