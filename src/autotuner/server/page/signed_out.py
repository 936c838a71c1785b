"""What a browser gets that has no cookie yet."""

from __future__ import annotations

from starlette.responses import HTMLResponse

from autotuner.services.report.markup import tag


def signed_out(*, tried: bool) -> HTMLResponse:
    """The page that asks for the token; it needs no other file. ``tried``: there was one, and it was wrong."""
    why = "The token in the address is wrong or no longer holds." if tried else "This browser is not known here."
    content = tag(
        "main",
        tag("h1", "The token is needed"),
        tag("p", f"{why} Open the address that ", tag("code", "autotuner serve"), " prints, or enter the token that ",
            tag("code", "autotuner token"), " prints."),
        tag(
            "form",
            tag("label", "Token ", tag("input", name="token", type="password", autocomplete="off", required=True)),
            " ",
            tag("button", "Open"),
            method="get",
            action="/",
        ),
    )  # fmt: skip
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", "Token needed · inference-autotuner"),
    )
    text = f"<!doctype html>\n{tag('html', head, tag('body', content), lang='en').text}\n"
    return HTMLResponse(text, status_code=401, headers={"WWW-Authenticate": "Bearer"})
