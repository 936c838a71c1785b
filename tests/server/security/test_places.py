"""Hosts and origins: only exact names of this service pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.server.security.places import host_is_allowed, is_same_origin


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"])
def test_names_of_the_loopback_pass_with_the_port(host: str) -> None:
    assert host_is_allowed(host, 8000, ())


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "127.0.0.1",
        "127.0.0.1:8001",
        "evil.test:8000",
        "127.0.0.1.evil.test:8000",
        "localhost.:8000",
        "me@127.0.0.1:8000",
        "127.0.0.1:8000.evil.test",
        "0x7f.1:8000",
        " 127.0.0.1:8000",
    ],
)
def test_other_names_do_not(host: str | None) -> None:
    assert not host_is_allowed(host, 8000, ())


def test_a_host_of_the_settings_passes_as_it_is_written() -> None:
    assert host_is_allowed("tuner.lan", 8000, ("tuner.lan",))
    assert host_is_allowed("tuner.lan:8000", 8000, ("tuner.lan",))
    assert not host_is_allowed("tuner.lan:9", 8000, ("tuner.lan",))
    assert host_is_allowed("tuner.lan:9", 8000, ("tuner.lan:9",))
    assert not host_is_allowed("tuner.lan", 8000, ("tuner.lan:9",))
    assert host_is_allowed("[fd00::1]:8000", 8000, ("[fd00::1]",))
    assert host_is_allowed("127.0.0.1", 80, ())


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://127.0.0.1:8001", False),
        ("http://localhost:8000", False),
        ("null", False),
        ("", False),
        ("http://evil.test", False),
        ("http://127.0.0.1:8000.evil.test", False),
        ("chrome-extension://127.0.0.1:8000", False),
    ],
)
def test_an_origin_is_ours_only_when_it_is_exactly_ours(origin: str, same: bool) -> None:
    assert is_same_origin(origin, "127.0.0.1:8000") is same


def test_usual_ports_may_be_left_out() -> None:
    assert is_same_origin("http://localhost", "localhost:80")
    assert is_same_origin("https://tuner.lan", "tuner.lan")


@given(st.text(max_size=30), st.integers(1, 65_535))
def test_no_text_passes_but_the_names(host: str, port: int) -> None:
    names = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
    if port != 80:
        assert host_is_allowed(host, port, ()) == (host.lower() in names)
