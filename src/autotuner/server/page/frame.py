"""What a page that is made here has around its content."""

from __future__ import annotations

from starlette.responses import HTMLResponse

from autotuner.services.report.markup import Child, tag

STYLE = "/docs/style.css"


def page(title: str, *content: Child, status: int = 200) -> HTMLResponse:
    """A whole page. Its style is a file of its own: the policy of the service allows no other."""
    whole = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", f"{title} · inference-autotuner"),
            tag("link", rel="stylesheet", href=STYLE),
        ),
        tag(
            "body",
            tag("a", "To the content", href="#content", class_="skip"),
            tag(
                "nav",
                tag("a", "inference-autotuner", href="/", class_="brand"),
                tag("a", "API", href="/docs"),
                aria_label="Pages",
            ),
            tag("main", *content, id="content"),
        ),
        lang="en",
    )
    return HTMLResponse(f"<!doctype html>\n{whole.text}\n", status_code=status)
