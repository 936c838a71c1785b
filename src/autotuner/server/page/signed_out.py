"""What a browser gets that has no cookie yet."""

from __future__ import annotations

from starlette.responses import HTMLResponse

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>inference-autotuner: token needed</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>The token is needed</h1>
<p>{why} Open the address that <code>autotuner serve</code> prints, or enter the token
that <code>autotuner token</code> prints.</p>
<form method="get" action="/"><label>Token <input name="token" type="password" autocomplete="off" required></label>
<button>Open</button></form></main></body></html>
"""


def signed_out(*, tried: bool) -> HTMLResponse:
    """The page that asks for the token. ``tried``: there was one, and it was wrong."""
    why = "The token in the address is wrong or no longer holds." if tried else "This browser is not known here."
    return HTMLResponse(_PAGE.format(why=why), status_code=401, headers={"WWW-Authenticate": "Bearer"})
