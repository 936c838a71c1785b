"""Addresses of stores, and the places that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.store import location, open_store
from autotuner.store.location import network_file_system, parse_location, prepare_file

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/local\\040disk xfs rw 0 0
//nas/x /mnt/nas cifs rw 0 0
tmpfs /mnt/nas tmpfs rw 0 0
user@host: /mnt/ssh fuse.sshfs rw 0 0
share /mnt/share 9p rw 0 0
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/x.db", None),
        ("/home/me/x.db", "nfs4"),
        ("/homely/x.db", None),
        ("/home/local disk/x.db", None),
        ("/mnt/nas/x.db", None),  # a later mount on the same point hides the share
        ("/mnt/ssh/x.db", "fuse.sshfs"),
        ("/mnt/share/a/b/x.db", "9p"),
    ],
)
def test_the_file_system_of_a_path_is_that_of_the_nearest_mount(path: str, kind: str | None) -> None:
    assert network_file_system(Path(path), MOUNTS) == kind


async def test_a_store_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/x {tmp_path} nfs rw 0 0\n")
    monkeypatch.setattr(location, "MOUNTS", mounts)
    file = tmp_path / "folder" / "x.db"
    with pytest.raises(AutotunerError, match=r"network file system \(nfs\).*local disk, or use a PostgreSQL") as caught:
        async with open_store(str(file)):
            pass
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
    assert caught.value.place == str(file)
    assert not file.parent.exists()


def test_a_link_into_a_network_file_system_is_followed(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "share")
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path.resolve()}/share nfs rw 0 0\n")
    with pytest.raises(AutotunerError, match="network file system"):
        prepare_file(parse_location(str(tmp_path / "link" / "x.db")), create=True, mounts=mounts)


def test_addresses_are_read(tmp_path: Path) -> None:
    assert parse_location(str(tmp_path / "x.db")).path == tmp_path / "x.db"
    assert parse_location(f"sqlite:///{tmp_path}/x.db").path == tmp_path / "x.db"
    assert parse_location("sqlite+aiosqlite:///x.db").path == Path.cwd() / "x.db"
    assert parse_location("~/x.db").path == Path.home() / "x.db"
    for url in ("postgresql://u@h/d", "postgres://u@h/d", "postgresql+asyncpg://u@h/d"):
        parsed = parse_location(url)
        assert parsed.path is None
        assert parsed.url.drivername == "postgresql+psycopg"


def test_no_secret_is_shown() -> None:
    shown = parse_location("postgresql://u:hunter2@h/d?password=hunter3").shown
    assert "hunter" not in shown
    assert "@h/d" in shown


@pytest.mark.parametrize(
    "address",
    ["", ":memory:", "sqlite://", "sqlite:///:memory:", "mysql://h/d", "http://x/y", "://", "sqlite:///file:x"],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        parse_location(address)
    assert caught.value.code is ErrorCode.INVALID_VALUE
