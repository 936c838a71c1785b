"""Reading a log while it grows and its middle is left out."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.contracts.event_log import AttemptFolder
from autotuner.deploy.local import server_log
from autotuner.deploy.local.server_log import ServerLog
from autotuner.services.log_reading import LogTail, log_streams, read_all, read_stream

MEBI = 1 << 20


def test_who_reads_along_misses_nothing_when_the_middle_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    tail, read, written = LogTail(path), bytearray(), bytearray()
    assert tail.read(MEBI) == b""
    log = ServerLog(str(path), [])
    for number in range(60):
        text = b"".join(b"%d %d\n" % (number, line) for line in range(60_000))
        log.write(text)
        written += text
        while data := tail.read(MEBI):
            read += data
    log.close()
    tail.close()
    assert path.stat().st_size < len(written)
    assert read == written


def test_a_reader_that_comes_again_after_a_cut_goes_on_behind_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    log = ServerLog(str(path), [])
    log.write(b"a" * server_log.MOST_BYTES)
    log.write(b"b" * 10)
    log.close()
    tail = LogTail(path, server_log.MOST_BYTES)
    assert tail.read(MEBI) == b"b" * 10
    tail.close()


def test_a_log_that_is_begun_again_in_its_place_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"0123456789")
    tail = LogTail(path)
    assert tail.read(MEBI) == b"0123456789"
    path.write_bytes(b"new")
    assert tail.read(MEBI) == b"new"
    tail.close()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=4), st.integers(0, 300), st.integers(1, 100))
def test_parts_of_all_logs_are_parts_of_one_text(texts: list[bytes], offset: int, limit: int) -> None:
    with TemporaryDirectory() as name:
        folders = [AttemptFolder(number, 1, "first", f"{name}/{number}") for number in range(len(texts))]
        for folder, text in zip(folders, texts, strict=True):
            Path(folder.folder or "").mkdir()
            (Path(folder.folder or "") / "server.log").write_bytes(text)
        streams = log_streams(folders)
        whole = read_all(streams, 0, 10_000)
        assert whole.size == len(whole.data) == whole.next_offset
        part = read_all(streams, offset, limit)
        assert part.data == whole.data[offset : offset + limit]
        assert part.size == whole.size
        for stream, text in zip(streams, texts, strict=True):
            assert read_stream(stream, offset, limit).data == text[offset : offset + limit]
