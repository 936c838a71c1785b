"""What every page has around its content."""

from __future__ import annotations

from starlette.responses import HTMLResponse

from autotuner.services.report.markup import Child, Html, tag

ASSETS = "/page"


def page(title: str, *content: Child, status: int = 200, headers: dict[str, str] | None = None) -> HTMLResponse:
    """A whole page. Script and style are files of their own: the policy of the service allows no others."""
    whole = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", f"{title} · inference-autotuner"),
            tag("link", rel="stylesheet", href=f"{ASSETS}/style.css"),
            tag("script", src=f"{ASSETS}/page.js", defer=True),
        ),
        tag(
            "body",
            tag("a", "To the content", href="#content", class_="skip"),
            tag(
                "nav",
                tag("a", "inference-autotuner", href="/", class_="brand"),
                tag("a", "Tasks", href="/"),
                tag("a", "API", href="/docs"),
                aria_label="Pages",
            ),
            tag("main", *content, id="content"),
        ),
        lang="en",
    )
    return HTMLResponse(f"<!doctype html>\n{whole.text}\n", status_code=status, headers=headers)


def table(caption: str, heads: tuple[str, ...], rows: list[Html]) -> Html:
    """A table whose columns have heads; wide ones scroll by themselves."""
    head = tag("thead", tag("tr", [tag("th", text, scope="col") for text in heads]))
    whole = tag("table", tag("caption", caption), head, tag("tbody", rows))
    return tag("div", whole, class_="wide", tabindex=0, role="region", aria_label=caption)
