"""Secrets are read by reference and blotted out wherever they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.services.secret_values import BLOT, Redaction, known_secrets, read_secret
from autotuner.services.settings import Settings, Webhook

SECRET = "canary/with+signs"
keys = st.text(max_size=4) | st.just(SECRET)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(SECRET) | st.just(f"a{SECRET}b"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_no_secret_is_left_anywhere(value: object) -> None:
    assert SECRET not in repr(Redaction([SECRET, "canary"]).value(value))


def test_only_secrets_are_changed() -> None:
    value = {"a": [1, "text", None, 2.5, True], "b": {"c": "canar"}}
    assert Redaction([SECRET, "", "abc"]).value(value) == value
    assert Redaction([]).text(SECRET) == SECRET
    assert Redaction([SECRET]).text("u=canary%2Fwith%2Bsigns") == f"u={BLOT}"
    assert Redaction(["secret-one", "secret-one-and-two"]).text("secret-one-and-two") == BLOT
    assert Redaction([SECRET]).value(Path(f"/x/{SECRET}")) == f"/x/{BLOT}"


def test_secrets_are_read_from_environment_and_files(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-a-file\n")
    assert read_secret("env:KEY", {"KEY": " here "}) == "here"
    assert read_secret(f"file:{file}", {}) == "from-a-file"
    for reference in ("env:MISSING", f"file:{tmp_path}/none"):
        with pytest.raises(AutotunerError) as caught:
            read_secret(reference, {})
        assert (caught.value.code, caught.value.place) == (ErrorCode.MISSING_FILE, reference)
    with pytest.raises(AutotunerError) as caught:
        read_secret("plain-secret", {})
    assert "plain-secret" not in str(caught.value)


def test_what_counts_as_secret(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        database="postgresql://me:pass%2Fword@db/x?password=another-one",
        webhooks=(Webhook(name="a", url="https://h/", secret="env:SIGN"), Webhook(name="b", url="https://h/b")),
    )
    settings.token_path.write_text("token-of-the-file\n")
    found = known_secrets(
        settings, {"SIGN": "signing-value", "HF_TOKEN": "hf-value", "TOKENIZERS_PARALLELISM": "false"}
    )
    assert {"token-of-the-file", "pass/word", "another-one", "signing-value", "hf-value"} <= found
    assert "false" not in found
