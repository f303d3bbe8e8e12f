"""The report in a real browser: Debian's chromium, headless, from a file, without a network."""

import pytest

from clx.ml.report import render_report
from report_samples import HOSTILE, data_of, hostile_data


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    built = {"full": data_of(), "many": data_of(labels=150), "hostile": hostile_data()}
    for name, data in built.items():
        (folder / f"{name}.html").write_text(render_report(data), encoding="utf-8")
    return folder


@pytest.fixture
def opened(browser, files):
    """Open a report and collect what the browser complains about and asks the network for."""
    contexts = []

    def open_report(name="full", **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto((files / f"{name}.html").as_uri())
        return page

    yield open_report
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", ["full", "many", "hostile"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_opens_from_a_file_without_complaints(opened, name, scheme, width):
    page = opened(name, color_scheme=scheme, viewport={"width": width, "height": 740})
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith("file:")] == []
    assert page.locator("h1").is_visible()
    # Nothing but what scrolls by itself is wider than the page.
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_light_and_dark_are_both_readable(opened):
    contrasts = []
    for scheme in ("light", "dark"):
        page = opened(color_scheme=scheme)
        ink, paper = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        contrasts.append(abs(luminance(ink) - luminance(paper)))
    assert min(contrasts) > 0.6


def luminance(color):
    values = [int(part) for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = ((value / 255) ** 2.2 for value in values)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_texts_stay_texts(opened):
    page = opened("hostile")
    assert page.evaluate("window.pwned") is None
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    assert page.locator("h1").inner_text().startswith(HOSTILE[:20])


def test_a_table_sorts_by_a_column_and_back(opened):
    page = opened("full")
    head = page.locator("#labels-table thead th").filter(has_text="F1")
    shown = "#labels-table tbody tr:not([hidden])"
    column = page.locator("#labels-table thead th").all_inner_texts().index("F1")

    def values():
        cells = page.locator(f"{shown} > :nth-child({column + 1})").all_inner_texts()
        return [float(text.split()[0]) for text in cells]

    assert values() == sorted(values())
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert values() == sorted(values(), reverse=True)
    head.locator("button").click()
    assert values() == sorted(values())


def test_a_table_filters_by_text(opened):
    page = opened("full")
    name = page.locator("#labels-table tbody tr").last.locator("th").inner_text()
    box = page.locator("input[aria-controls='labels-table'], #labels input").first
    box.fill(name.strip())
    rows = page.locator("#labels-table tbody tr:visible")
    assert rows.count() < 77
    assert all(name.strip() in text.replace("\u200b", "") for text in rows.all_inner_texts())
    box.fill("no such label anywhere")
    assert rows.count() == 0
    assert page.complaints == []


def test_the_most_confused_pairs_come_first_at_150_labels(opened):
    page = opened("many")
    counts = page.locator("#confused tbody tr > :nth-child(3)").all_inner_texts()
    numbers = [int(text.replace(",", "")) for text in counts if text]
    assert len(numbers) >= 5
    assert numbers == sorted(numbers, reverse=True)
