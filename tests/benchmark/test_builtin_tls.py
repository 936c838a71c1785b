"""Servers behind TLS: trusted, of a private authority, and not to be trusted."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from autotuner.benchmark.builtin import BuiltinClient
from autotuner.contracts.attempt import FailureClass
from autotuner.contracts.client import ClientError
from autotuner.contracts.deployment import Endpoint
from autotuner.mock_server import MockServer
from conformance.client_suite import QUICK, job, load, measure


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that is its own authority; the key is in the same file."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    subject = ["-subj", "/CN=private", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path.with_suffix(".key")]
    subprocess.run(
        ["openssl", "req", "-x509", *key, *subject, "-out", path],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + path.with_suffix(".key").read_text())
    return path


@asynccontextmanager
async def behind_tls(server: MockServer, certificate: Path) -> AsyncIterator[str]:
    """A TLS front of the server, at that address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = server.base_url.removeprefix("http://").split(":")
        back_reader, back_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))

    front = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with front:
        yield f"https://127.0.0.1:{front.sockets[0].getsockname()[1]}"


async def test_a_private_authority_is_named_by_the_variable(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with (
        MockServer(QUICK) as server,
        behind_tls(server, certificate) as url,
        BuiltinClient().open(None) as session,
    ):
        work = job(load(concurrency=2), max_requests=20, window_s=60.0)
        (found,) = await measure(session, work, Endpoint(url, "mock"), tmp_path)
    assert (found.completed_requests, found.error_requests) == (20, 0)
    assert found.output_tokens == 160
    assert any(truth.reused_connection for truth in server.truth)


async def test_an_unknown_authority_is_an_error_that_says_what_to_do(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    async with (
        MockServer(QUICK) as server,
        behind_tls(server, certificate) as url,
        BuiltinClient().open(None) as session,
    ):
        with pytest.raises(ClientError, match="is not trusted") as caught:
            await measure(session, job(), Endpoint(url, "mock"), tmp_path)
        assert server.truth == []
    assert caught.value.failure.kind is FailureClass.UNREACHABLE
    assert "SSL_CERT_FILE" in caught.value.failure.hint


async def test_a_server_that_does_not_speak_tls_is_counted(tmp_path: Path) -> None:
    async with MockServer(QUICK) as server, BuiltinClient().open(None) as session:
        url = server.base_url.replace("http://", "https://")
        (found,) = await measure(session, job(max_errors=5), Endpoint(url, "mock"), tmp_path)
    assert found.ttft is None
    assert set(found.error_codes) <= {"tls", "connection_reset", "connection_failed"}
    assert found.error_requests >= 5
