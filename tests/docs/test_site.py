"""The site: every page is in it, the generated pages are up to date, and it works in a browser."""

import importlib
import inspect
import json
import re
import shutil
from pathlib import Path

import pytest

import build_site
import command_page
import troubleshooting_page
from clx.ml import TrainingRun
from clx.ml.task.task import Task

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
API = sorted((DOCS / "reference" / "api").glob("*.md"))
PAGES = build_site.pages()


def documented():
    """Return what the API pages show, by its full name."""
    return [name for page in API for name, _ in build_site.API.findall(page.read_text("utf-8"))]


# ---- The pages ---------------------------------------------------------------------------------------


def test_every_page_is_in_the_navigation_once_and_every_entry_is_a_page():
    listed = [page.path for page in PAGES]
    assert sorted(listed) == sorted(
        path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")
    )
    assert len(listed) >= 56


def test_the_navigation_has_the_parts_of_the_site():
    parts = list(dict.fromkeys(page.part for page in PAGES))
    assert [part for part in parts if part not in ("Home", "Start")] == [
        "How to", "Reference", "Background",
    ]  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_every_page_begins_with_its_title_and_says_what_it_is_about(page):
    assert page.text.startswith("# ")
    assert 20 <= len(page.summary) <= 300
    assert page.summary[0] in "`" or page.summary[0].isupper() or page.summary.startswith("clx")
    assert page.summary[-1] in ".?!"


def test_llms_txt_lists_every_page_under_its_part():
    text = build_site.llms_text(PAGES, build_site.configuration())
    assert text.startswith("# clx\n\n> Fine-tune, evaluate and run Hugging Face text models.\n")
    assert text.count("\n- [") == len(PAGES)
    assert "\n## How to\n\n- [" in text
    assert (
        "- [Troubleshooting](how-to/troubleshooting.md): Search this page for a few words " in text
    )


def test_reading_times_count_words_without_code():
    page = build_site.Page(
        "How to", "a.md", "# A title\n\n```python\nx = 1\n```\n\nThree more words.\n"
    )
    assert page.words == 5
    assert page.minutes == 1
    assert build_site.reading_time([page]).splitlines()[1:] == [
        "     5    1  a.md",
        "     5    0  1 pages",
    ]


# ---- The pages that are made -------------------------------------------------------------------------


def test_the_page_of_commands_is_up_to_date():
    text = command_page.PAGE.read_text(encoding="utf-8")
    assert command_page.page(text) == text, "make commands"


def test_the_page_of_commands_has_every_option_with_its_default():
    text = command_page.made()
    for name, command in command_page.commands().items():
        assert f"### clx {name}\n" in text
        for written, _, meaning in command_page.rows(command):
            assert f"| `{command_page.cell(written)}` | " in text
            assert meaning, f"clx {name} does not say what {written} is"
    assert "| `--folds N` | `3` | Number of folds. |" in text


def test_the_page_of_errors_is_up_to_date():
    text = troubleshooting_page.PAGE.read_text(encoding="utf-8")
    assert text == troubleshooting_page.page(), "make troubleshooting"


def test_every_error_has_its_meaning_what_to_do_and_messages_of_the_code():
    said = troubleshooting_page.literals()
    kinds, page = troubleshooting_page.classes(), troubleshooting_page.page()
    assert {kind.__name__ for kind in kinds} == set(troubleshooting_page.MESSAGES)
    for kind in kinds:
        what, _ = troubleshooting_page.meaning(kind)
        assert f"### {kind.__name__}\n\n{what}" in page
        for message in troubleshooting_page.MESSAGES[kind.__name__]:
            assert troubleshooting_page.is_said(message, said), message
    assert not troubleshooting_page.is_said("There is no … like this", said)


def test_the_errors_are_grouped_by_subject_with_a_list_of_all_on_top():
    named = " ".join(troubleshooting_page.GROUPS.values()).split()
    kinds = [kind.__name__ for kind in troubleshooting_page.classes()]
    assert len(set(named)) == len(named)
    assert set(named) - set(kinds) == set()
    top, *sections = troubleshooting_page.page().split("\n## ")
    assert re.findall(r"\(#(\w+)\)", top) == [
        name.lower() for text in sections for name in re.findall(r"^### (\w+)$", text, re.M)
    ]
    assert top.count("](#") == len(kinds)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.part == "How to"], ids=lambda page: page.path
)
def test_a_how_to_page_begins_with_what_to_type_and_fits_two_screens(page):
    if page.path != "how-to/troubleshooting.md":
        assert len(page.text.split()) <= 600
    first = page.text.split("\n\n")[1]
    # Pages for those who come from another library begin with what they know.
    assert first.startswith("```") or re.fullmatch(r"With [\w ]+:", first)


# ---- The API -----------------------------------------------------------------------------------------


def test_no_private_name_is_on_the_pages_of_the_api():
    names = documented()
    assert len(names) > 80
    assert len(set(names)) == len(names)
    assert [name for name in names if "._" in name] == []


def test_every_method_of_a_run_is_on_the_pages_of_the_api():
    public = {name for name in dir(TrainingRun) if not name.startswith("_")} - set(dir(Task))
    public |= {"tokenizer", "model", "pipe"}
    shown = {name.removeprefix("clx.ml.TrainingRun.") for name in documented()}
    assert len(public) > 30
    assert public - shown == set()


def result_classes():
    """Return the names of the classes in the room of results, and of the report of an export."""
    rooms = [ROOT / "clx-core/src/clx/ml" / room for room in ("results", "prediction")]
    files = [file for room in rooms for file in room.glob("*.py")]
    return {
        name
        for file in files
        for name in re.findall(r"^class (\w+)", file.read_text("utf-8"), re.M)
    }


def test_every_result_of_a_method_is_on_the_pages_of_the_api():
    returned = set()
    for name, method in inspect.getmembers_static(TrainingRun, inspect.isfunction):
        if not name.startswith("_") and name not in dir(Task):
            returned |= set(re.findall(r"\w+", str(inspect.signature(method).return_annotation)))
    shown = {name.split(".")[-1] for name in documented() if name.startswith("clx.ml.results.")}
    results = {
        name for name in returned if re.search(r"Result|Estimate|Change|Check|Dist|Cont", name)
    }
    assert len(results) >= 8
    assert results - shown == set()


@pytest.mark.parametrize("name", documented())
def test_what_the_pages_of_the_api_name_exists(name):
    module, parts = name, []
    while True:
        try:
            found = importlib.import_module(module)
            break
        except ImportError:
            module, _, last = module.rpartition(".")
            parts.insert(0, last)
    for part in parts:
        found = (
            inspect.getattr_static(found, part) if inspect.isclass(found) else getattr(found, part)
        )
    assert found is not None


# ---- The built site ----------------------------------------------------------------------------------

BUILT = [
    "index.md",
    "how-to/decisions.md",
    "reference/arguments.md",
    "reference/api/training-run.md",
    "reference/api/metrics.md",
    "background/architecture.md",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("zensical", reason="the site is built by `make site`")
    pytest.importorskip("mkdocstrings", reason="the site is built by `make site`")
    root = tmp_path_factory.mktemp("site")
    # `make site` builds all pages, and is strict. These are enough to look at.
    shutil.copytree(DOCS / "assets", root / "docs" / "assets")
    for path in BUILT:
        (root / "docs" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DOCS / path, root / "docs" / path)
    configuration, _, _ = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")
    configuration = configuration.replace("strict: true", "strict: false")
    (root / "mkdocs.yml").write_text(f"{configuration}\nnav: {json.dumps(BUILT)}\n")
    (root / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "docstring_roles.py", root / "tests")
    (root / "clx-core").symlink_to(ROOT / "clx-core")
    return build_site.build(root)


def test_every_page_has_a_markdown_twin_whose_links_lead_to_twins(site):
    for path in BUILT:
        text = (site / path).read_text(encoding="utf-8")
        assert "::: clx" not in text
        html = (site / path).with_suffix(".html").read_text(encoding="utf-8")
        name = Path(path).name
        assert f'<link rel="alternate" type="text/markdown" href="{name}"></head>' in html
    targets = re.findall(r"\]\(([^)]+)\)", (site / "llms.txt").read_text(encoding="utf-8"))
    assert targets == BUILT


def test_the_api_is_written_out_without_private_names(site):
    html = (site / "reference/api/training-run.html").read_text(encoding="utf-8")
    twin = (site / "reference/api/training-run.md").read_text(encoding="utf-8")
    for text in (html, twin):
        assert "Fine-tune the base model and write the run directory." in text
        assert "eval_data" in text
        assert ":meth:" not in text
    assert 'id="clx.ml.TrainingRun.predict_frame"' in html
    assert "_clx_state" not in html
    arguments = (site / "reference/arguments.html").read_text(encoding="utf-8")
    assert "<code>fruit|red</code>" in arguments
    metrics = (site / "reference/api/metrics.md").read_text(encoding="utf-8")
    assert "\n### precision_recall_f1\n" in metrics


def test_a_dead_link_and_a_missing_anchor_stop_the_build(tmp_path):
    pytest.importorskip("zensical", reason="the site is built by `make site`")
    (tmp_path / "docs").mkdir()
    (tmp_path / "mkdocs.yml").write_text(
        "site_name: clx\nsite_description: A site.\nstrict: true\nuse_directory_urls: false\n"
        "nav: [index.md, other.md]\n"
    )
    (tmp_path / "docs" / "other.md").write_text("# Other\n\nA page.\n")
    home = tmp_path / "docs" / "index.md"
    home.write_text("# Home\n\nA [link](other.md#other).\n")
    assert (build_site.build(tmp_path) / "llms.txt").is_file()
    for link in ("gone.md", "other.md#gone"):
        home.write_text(f"# Home\n\nA [link]({link}).\n")
        with pytest.raises(build_site.subprocess.CalledProcessError):
            build_site.build(tmp_path)


@pytest.fixture
def opened(browser, site):
    """Open a page from the folder, and collect what the browser complains about and asks for."""
    contexts = []

    def open_page(path, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto((site / path).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_pages_are_readable_on_any_screen_and_load_nothing_from_elsewhere(opened, scheme, width):
    for path in ("reference/arguments.html", "background/architecture.html"):
        page = opened(path, color_scheme=scheme, viewport={"width": width, "height": 800})
        assert page.locator("h1").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [url for url in page.requests if not url.startswith("file:")] == []
        assert page.complaints == []
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        bright = sum(map(float, re.findall(r"[\d.]+", paper)[:3])) > 384
        assert bright == (scheme == "light")


def test_search_finds_a_page_colors_can_be_chosen_and_code_can_be_copied(opened):
    page = opened("how-to/decisions.html", viewport={"width": 1280, "height": 800})
    assert page.locator("article button[title]").count() >= 1
    page.get_by_title("Use the light colors").click()
    page.get_by_title("Use the dark colors").click()
    assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"
    page.locator(".md-search__button").click()
    page.get_by_placeholder("Search").fill("abstain")
    page.locator("a[href*=decisions]").filter(has_text="abstain").first.wait_for()
