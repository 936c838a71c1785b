"""Which variables a server inherits. Pure."""

from __future__ import annotations

from collections.abc import Mapping

NAMES = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE"),
        *("LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV", "XDG_CACHE_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    )
)
PREFIXES = (
    "LC_",
    "HF_",
    "CUDA_",
    "NVIDIA_",
    "NCCL_",
    "OMP_",
    "KMP_",
    "GOMP_",
    "MKL_",
    "OPENBLAS_",
    "TORCH_",
    "TRITON_",
)


def server_environment(inherited: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """What of ``inherited`` a server may see, and then its own. Anything else, such as foreign keys, stays behind."""
    allowed = {name: value for name, value in inherited.items() if name.upper() in NAMES or name.startswith(PREFIXES)}
    return allowed | dict(own)
