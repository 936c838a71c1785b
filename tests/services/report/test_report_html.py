"""The HTML report: complete, self-contained, and safe whatever a user names things."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import result_builder as build
from autotuner.services.report import render_html
from autotuner.services.report.html import NO_PLOTS
from autotuner.services.report.markup import group, json_block, raw_text, tag
from autotuner.services.report.wording import visible

OWN_TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "h1", "h2", "h3", "p",
    "span", "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "details",
    "summary", "pre", "button", "script", "noscript",
}  # fmt: skip


class Page(HTMLParser):
    """Everything the tests ask about a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[dict[str, str | None], str]] = []
        self.words: list[str] = []
        self._open: dict[str, str | None] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = dict(attrs) if tag in ("script", "style") else None

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is None:
            self.words.append(data)
        else:
            self.raw.append((self._open, data))

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def figures(self) -> dict[str, dict[str, list[dict[str, object]]]]:
        found = [text for attributes, text in self.raw if attributes.get("id") == "figures"]
        return json.loads(found[0]) if found else {}


COUNTS = (build.failure_count(build.oom()),)


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    return {name: Page(render_html(make())) for name, make in build.ALL.items()}


def test_every_kind_of_result_leads_with_its_headline(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        if name == "hostile":
            continue
        headline = build.ALL[name]().headline
        assert headline in page.text
        assert page.text.index(headline) < page.text.index("Evidence")


def test_the_sections_come_in_order(pages: dict[str, Page]) -> None:
    titles = [
        "Evidence",
        "Winner beside the baseline",
        "Parameters",
        "Search",
        "Against the full grid",
        "Failures",
        "Where the time went",
        "Experiments",
        "Provenance",
    ]
    text = pages["grid"].text
    positions = [text.index(f"{title} ") for title in titles]
    assert positions == sorted(positions)


def test_failed_starts_are_counted_with_what_to_do(pages: dict[str, Page]) -> None:
    text = pages["confirmed"].text
    assert "Failed starts" in text
    assert " ".join(("oom load 5 3 1", "The server was killed: out of memory", "Lower batch_size")) in text
    recovered = Page(render_html(build.result(experiments=build.searched(failures=False), failures=COUNTS)))
    assert "Every failure was made good." in recovered.text
    assert "Failures" not in Page(render_html(build.result(experiments=build.searched(failures=False)))).text


@pytest.mark.parametrize("name", sorted(build.ALL))
def test_each_figure_has_its_element_and_data(pages: dict[str, Page], name: str) -> None:
    figures = pages[name].figures()
    places = {attributes["id"] for _, attributes in pages[name].tags if attributes.get("class") == "plot"}
    assert set(figures) == places
    for figure in figures.values():
        assert figure["data"]
        for trace in figure["data"]:
            if "hovertext" in trace and isinstance(trace["x"], list):
                assert isinstance(trace["hovertext"], list)
                assert len(trace["hovertext"]) == len(trace["x"])


def test_a_full_result_has_every_plot(pages: dict[str, Page]) -> None:
    names = set(pages["grid"].figures())
    assert {"plot-gain", "plot-starts", "plot-grid", "plot-history", "plot-slo-0", "plot-parallel"} < names
    assert {"plot-values-0", "plot-values-1", "plot-values-2", "plot-phases"} < names


def test_best_so_far_ignores_what_violates_a_hard_slo(pages: dict[str, Page]) -> None:
    traces = {str(trace["name"]): trace for trace in pages["confirmed"].figures()["plot-history"]["data"]}
    best = traces["best so far"]["y"]
    violating = traces["violates a hard SLO"]["y"]
    winner = build.result().winner
    assert winner is not None
    assert isinstance(best, list)
    assert isinstance(violating, list)
    assert best == sorted(best)
    assert best[-1] == winner.score
    assert max(violating) > best[-1]


def test_the_interval_becomes_error_bars(pages: dict[str, Page]) -> None:
    (trace,) = pages["confirmed"].figures()["plot-gain"]["data"]
    bars = trace["error_x"]
    assert isinstance(bars, dict)
    assert bars["array"] == pytest.approx([4.0])
    assert bars["arrayminus"] == pytest.approx([3.0])


@pytest.mark.parametrize("name", sorted(build.ALL))
def test_nothing_is_loaded_from_elsewhere(pages: dict[str, Page], name: str) -> None:
    for element, attributes in pages[name].tags:
        assert element in OWN_TAGS
        assert not {"src", "href", "srcset", "action", "style"} & set(attributes)
        assert not [key for key in attributes if key.startswith("on")]


@pytest.mark.parametrize("name", sorted(build.ALL))
def test_the_policy_allows_exactly_the_scripts_of_the_page(pages: dict[str, Page], name: str) -> None:
    (policy,) = [a["content"] for _, a in pages[name].tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    sources = policy.partition("script-src ")[2].split()
    texts: dict[int, str] = {}
    for attributes, text in pages[name].raw:
        texts[id(attributes)] = texts.get(id(attributes), "") + text
    kinds = {id(attributes): attributes for attributes, _ in pages[name].raw}
    scripts = [a for element, a in pages[name].tags if element == "script" and "type" not in a]
    assert len(scripts) == len(sources) == 2
    hashed = {
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for key, text in texts.items()
        if not kinds[key]
    }
    assert set(sources) <= hashed


def test_hostile_text_is_shown_and_never_markup(pages: dict[str, Page]) -> None:
    page = pages["hostile"]
    assert page.text.count("<script>alert(1)</script>") > 20
    assert "img" not in {element for element, _ in page.tags}
    assert "\x1b" not in page.text
    hover = json.dumps(page.figures())
    assert "&lt;script&gt;" in hover
    assert "<script" not in hover


def test_predictions_are_called_so_everywhere(pages: dict[str, Page]) -> None:
    page = pages["predicted"]
    assert "no server was measured" in page.text
    for name, figure in pages["predicted"].figures().items():
        if name != "plot-phases":
            assert "predicted" in json.dumps(figure), name
    assert page.text.count("predicted") > 6
    assert "predicted" not in pages["confirmed"].text


def test_without_plotly_there_is_still_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    text = render_html(build.with_grid())
    page = Page(text)
    assert NO_PLOTS in page.text
    assert page.figures() == {}
    assert "93.0 %" in page.text
    assert len(text) < 100_000


def test_an_unconfirmed_gain_is_called_so(pages: dict[str, Page]) -> None:
    assert "not confirmed by repeated starts" in pages["unconfirmed"].text
    assert "not confirmed by repeated starts" not in pages["confirmed"].text
    assert "There is no winner" in pages["infeasible"].text


def test_commands_can_be_copied_as_they_run(pages: dict[str, Page]) -> None:
    assert "--host 127.0.0.1" in pages["confirmed"].text
    targets = {a["data-copy"] for element, a in pages["confirmed"].tags if element == "button"}
    assert targets
    assert targets <= {a.get("id") for element, a in pages["confirmed"].tags if element == "pre"}


@given(st.text(), st.text())
def test_text_and_attributes_come_back_unchanged(text: str, attribute: str) -> None:
    page = Page(tag("p", text, title=attribute).text)
    assert [element for element, _ in page.tags] == ["p"]
    expected = visible(text)
    assert "".join(page.words) == expected
    assert page.tags[0][1]["title"] == visible(attribute)
    assert "<" not in group(text).text


@given(st.recursive(st.text() | st.floats(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_in_a_page_ends_where_it_should(value: object) -> None:
    block = json_block("data", {"value": value}).text
    page = Page(block + "<p>after</p>")
    assert [element for element, _ in page.tags] == ["script", "p"]
    found = re.fullmatch(r"<script[^>]*>(.*)</script>", block)
    assert found is not None
    assert "value" in json.loads(found[1])


def test_a_script_cannot_end_its_element() -> None:
    script = raw_text("a = '</SCRIPT><b>';\r\nb = '<!--';")
    assert script == "a = '<\\/SCRIPT><b>';\nb = '<\\!--';"


def browse(page: str, folder: Path) -> tuple[str, str]:
    """The page as Chromium has it after its scripts ran, and what Chromium logged."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium")
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
        f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=8000", "--dump-dom", file.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(build.ALL))
def test_a_browser_draws_it_without_an_error(tmp_path: Path, name: str) -> None:
    page = render_html(build.ALL[name]())
    drawn, log = browse(page, tmp_path)
    assert "CONSOLE" not in log
    assert drawn.count('class="plot js-plotly-plot"') == len(Page(page).figures())
    assert drawn.count('class="main-svg"') >= len(Page(page).figures())


@pytest.mark.slow
def test_a_script_that_is_not_the_pages_own_does_not_run(tmp_path: Path) -> None:
    page = render_html(build.result()).replace("</body>", "<script>document.title = 'owned';</script></body>")
    drawn, log = browse(page, tmp_path)
    assert "violates the following Content Security Policy" in log
    assert "<title>owned" not in drawn


@pytest.mark.slow
@pytest.mark.parametrize(("clicks", "down"), [(1, False), (2, True)])
def test_the_table_sorts_by_a_column_with_failed_ones_last(tmp_path: Path, clicks: int, *, down: bool) -> None:
    click = "document.querySelectorAll('table.sortable th button')[2].click();" * clicks
    page = re.sub(r"<meta http-equiv[^>]*>", "", render_html(build.result()))
    drawn, _ = browse(page.replace("</body>", f"<script>{click}</script></body>"), tmp_path)
    rows = drawn.partition('class="sortable"')[2].partition("<tbody>")[2].partition("</tbody>")[0].split("</tr>")[:-1]
    keys = [re.findall(r'data-sort="([^"]*)"', row)[1] for row in rows]
    scores = [float(key) for key in keys if key]
    assert len(scores) == 16
    assert scores == sorted(scores, reverse=down)
    assert keys[-2:] == ["", ""]
