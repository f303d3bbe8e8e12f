"""``render_report``: what is in the page, and what must not be."""

import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import report_samples
from clx.errors import MissingDependencyError
from clx.ml.report import Comparison, DataSummary, ReportData, render_report
from report_samples import HOSTILE, data_of, hostile_data

SHOWN = (
    """</script><script>window.pwned=1</script>"'><img src=x onerror="window.pwned=2"> & $x$ ��"""
)

VOID = {"meta", "input", "wbr", "br", "img", "link"}


class Page(HTMLParser):
    """What a report consists of, by element."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.open, self.texts = Counter(), [], [], []
        self.scripts, self.tables, self.row = [], {}, None
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs, empty=False):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID and not empty:
            self.open.append(tag)
        values = dict(attrs)
        if tag == "table":
            self.tables[values.get("id", values.get("class"))] = self.rows = []
        elif tag == "tr":
            self.row = []
            self.rows.append(self.row)
        elif tag in ("td", "th"):
            self.row.append("")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs, empty=True)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> crosses another element"
        if tag == "tr":
            self.row = None

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.scripts.append(data)
            return
        self.texts.append(data)
        if self.row:
            self.row[-1] += data

    def values(self, name):
        return [value for _, key, value in self.attributes if key == name]

    @property
    def text(self):
        return "".join(self.texts)


@pytest.fixture(scope="module")
def full():
    return render_report(data_of())


@pytest.fixture(scope="module")
def page(full):
    return Page(full)


PARTS = """metrics comparison mistakes labels confusion cooccurrence calibration learning suspicious
data extra-1-fairness settings""".split()


def test_every_part_is_there_with_a_heading_and_a_link(page):
    for name in PARTS:
        assert ("section", "id", name) in page.attributes
        assert ("a", "href", f"#{name}") in page.attributes
    assert page.tags["h1"] == 1
    assert page.tags["h2"] == len(PARTS)
    assert page.tags["caption"] == page.tags["table"]
    assert page.tags["section"] == len(PARTS)


def test_each_part_of_ours_says_how_to_read_it(full):
    for name in set(PARTS) - {"extra-1-fairness"}:
        assert re.search(rf'<section id="{name}".*?</h2><p class="how">[A-Z0-9].*?\.</p>', full), (
            name
        )


@pytest.mark.parametrize("build", [data_of, hostile_data])
def test_ids_are_unique_and_references_meet_one(build):
    page = Page(render_report(build()))
    ids = page.values("id")
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    for key in ("data-for", "data-all", "aria-controls", "aria-labelledby"):
        assert set(page.values(key)) <= set(ids)
    targets = {value.removeprefix("#") for value in page.values("href")}
    targets |= set(re.findall(r"url\(#([^)]+)\)", " ".join(map(str, page.values("clip-path")))))
    assert any(target.startswith("plot-") for target in targets)
    assert targets <= set(ids)


def test_nothing_is_loaded_from_anywhere(full, page):
    assert page.tags["img"] == page.tags["link"] == page.tags["iframe"] == 0
    assert all(value.startswith("#") for value in page.values("href"))
    assert not page.values("src")
    assert "@import" not in full
    assert "url(http" not in full
    assert "//" not in re.sub(r"(?m)^\s*//.*$", "", full)
    [policy] = [v for _, key, v in page.attributes if key == "content" and "default-src" in v]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_no_style_attributes_which_the_policy_would_block(page):
    assert page.tags["svg"] > 10
    assert not page.values("style")
    assert page.tags["style"] == page.tags["script"] == 1


def test_drawings_take_the_page_s_colors_and_font(full, page):
    drawings = re.findall(r'<svg class="plot".*?</svg>', full, re.DOTALL)
    assert len(drawings) == 7
    for drawing in drawings:
        assert not re.search(r"#[0-9a-fA-F]{6}\b", drawing)
        assert "var(--" in drawing
        assert "font-family" not in drawing
        assert "<text" in drawing
        assert 'role="img" aria-label="' in drawing
    assert page.tags["image"] == 0


def test_drawings_have_nothing_of_matplotlib_s_files(full):
    drawings = "".join(re.findall(r'<svg class="plot".*?</svg>', full, re.DOTALL))
    for left_over in (
        "<metadata",
        "<style",
        "<!DOCTYPE",
        "xmlns",
        "xlink",
        "clip",
        "<g id",
        "#0101",
    ):
        assert left_over not in drawings
    assert set(re.findall(r'<(?:path|use) id="([^"]+)"', drawings)) == {
        "plot-calibration-0", "plot-calibration-1", "plot-loss-0", "plot-scores-0",
    }  # fmt: skip


def test_bars_have_counts_without_decimals():
    counts = pd.DataFrame({"train": [1200.0, 3.0, np.nan]}, index=["a", "b", "c"])
    rendered = render_report(ReportData("t", data=DataSummary(label_counts=counts)))
    [drawing] = re.findall(r'<svg class="plot".*?</svg>', rendered, re.DOTALL)
    assert re.findall(">([^<>]+)</text>", drawing) == ["a", "b", "1,200", "3"]
    assert "Rarest labels: b (3), a (1,200)." in Page(rendered).text


@pytest.mark.parametrize(
    "text", [HOSTILE, "<b>&amp;", "javascript:alert(1)", "\u202eright to left", "$"]
)
def test_hostile_texts_stay_texts(text):
    rendered = render_report(hostile_data(text))
    rendered.encode("utf-8")
    page = Page(rendered)
    assert page.tags["script"] == page.tags["style"] == 1
    assert page.tags["img"] == page.tags["b"] - 1 == 0  # one finding has its kind in bold
    assert not [key for _, key, _ in page.attributes if key.startswith("on")]
    assert not [v for v in page.values("href") if not v.startswith("#")]
    assert "pwned" not in "".join(page.scripts)
    shown = SHOWN if text == HOSTILE else text
    assert page.text.count(shown) > 50
    for name in ("mistakes-table", "labels-table", "confused", "compared", "label-counts"):
        assert shown in "".join(page.tables[name][1]), name


def test_the_hostile_text_would_be_seen_if_it_were_not_escaped():
    assert Page(f"<p>{HOSTILE}".replace("</script><", "<") + "</p>").tags["script"] == 1


def test_metrics_have_value_interval_and_meaning(page):
    rows = {row[0]: row[1:] for row in page.tables["metrics"][1:]}
    assert rows["Accuracy"] == [
        "0.900",
        "0.880 to 0.920",
        "The share of rows with a correct prediction.",
    ]
    assert rows["Macro F1"][:2] == ["0.890", ""]
    assert rows["own"] == rows["odd"] == ["–", "", ""]
    assert rows["big"][0] == "12,346"
    assert "accuracy_low" not in page.text
    assert "90.0% of the 3,000 rows" in page.text
    assert "95% interval: 88.0% to 92.0%" in page.text


def test_a_low_without_its_metric_is_a_metric():
    page = Page(render_report(ReportData("t", metrics={"share_low": 0.25, "accuracy": 1.0})))
    assert [row[0] for row in page.tables["metrics"][1:]] == ["share_low", "Accuracy"]
    assert "100% of the rows" in page.text


def test_labels_come_weakest_first_with_what_cannot_be_computed_last():
    frame = pd.DataFrame(
        {"precision": 1.0, "f1": [0.9, np.nan, 0.2], "support": [3, 0, 4], "threshold": 0.5},
        index=["good", "none", "bad"],
    )
    page = Page(render_report(ReportData("t", per_label=frame)))
    assert page.tables["labels-table"] == [
        ["Label", "Precision", "F1", "Rows", "Threshold"],
        ["bad", "1.000", "0.200", "4", "0.500"],
        ["good", "1.000", "0.900", "3", "0.500"],
        ["none", "1.000", "–", "0", "0.500"],
    ]
    assert "reaches its threshold" in page.text


def test_confused_pairs_are_counted_and_ordered():
    counts = pd.DataFrame([[8, 0, 2], [5, 5, 0], [0, 1, 3]], index=list("abc"), columns=list("abc"))
    page = Page(render_report(ReportData("t", confusion=counts)))
    assert page.tables["confused"][1:] == [
        ["b", "a", "5", "0.500"],
        ["a", "c", "2", "0.200"],
        ["c", "b", "1", "0.250"],
    ]
    assert "For 8 of 24 rows the model predicted a label other than the given one." in page.text
    assert "given b, predicted a: 5 rows" in page.text
    assert "given c, predicted b: 1 rowgiven" in page.text


def test_pairs_that_come_together_are_counted_once():
    counts = pd.DataFrame([[8, 2, 0], [2, 5, 1], [0, 1, 3]], index=list("abc"), columns=list("abc"))
    page = Page(render_report(ReportData("t", cooccurrence=counts)))
    assert page.tables["together"][1:] == [["a", "b", "2", "0.400"], ["b", "c", "1", "0.333"]]


def test_many_labels_are_drawn_as_the_most_confused_only():
    page = Page(render_report(data_of(labels=150)))
    assert re.search(r"Confusion matrix: the (29|30) most confused of 150 labels", page.text)
    assert len(page.tables["labels-table"]) == 151
    few = Page(render_report(data_of(labels=5)))
    assert "Confusion matrix" in few.text
    assert "most confused of" not in few.text


def test_texts_are_cut_and_can_be_unfolded():
    text = "beginning " + "x" * 500 + " MIDDLE " + "y" * 5000 + " END"
    mistakes = pd.DataFrame({"text": [text, "short", "", None], "label": "a", "predicted": "b"})
    rendered = render_report(ReportData("t", mistakes=mistakes))
    assert "<details><summary>beginning" in rendered
    assert "MIDDLE" in rendered
    assert "END" not in rendered
    assert "… and 4,322 more characters" in rendered
    assert [row[0] for row in Page(rendered).tables["mistakes-table"][2:]] == [
        "short",
        "empty",
        "–",
    ]


def test_rows_beyond_the_limit_are_left_out_and_it_says_so():
    mistakes = pd.DataFrame(
        {"text": [f"text {n}" for n in range(1000)], "label": "a", "predicted": "b"}
    )
    page = Page(render_report(ReportData("t", mistakes=mistakes)))
    assert len(page.tables["mistakes-table"]) == 301
    assert "The first 300 of 1,000 rows." in page.text


def test_lists_of_labels_are_named():
    mistakes = pd.DataFrame(
        {"text": "t", "label": [["a", "b"], []], "predicted": [("c",), np.array(["d", "e"])]}
    )
    rows = Page(render_report(ReportData("t", mistakes=mistakes))).tables["mistakes-table"]
    assert rows[1:] == [["t", "a, b", "c"], ["t", "none", "d, e"]]


def test_comparison(page):
    assert (
        "this run is right for 30 rows for which that run is wrong, and wrong for 5 rows for which"
        in page.text
    )
    assert "p < 0.001; the difference is unlikely to be chance" in page.text
    assert page.tables["compared"] == [
        ["Metric", "this run", "that run", "Difference", "Low", "High"],
        ["Accuracy", "0.900", "0.800", "0.100", "−0.020", "0.200"],
    ]
    assert len(page.tables["fixed-rows"]) == 31
    assert len(page.tables["broken-rows"]) == 6


def test_data_findings_and_settings(page):
    assert page.tables["data-rows"][1:] == [
        ["Training", "9,000", "3", "0.03%"], ["Evaluation", "3,000", "0", "0%"],
    ]  # fmt: skip
    assert "leakage 12 texts are in both." in page.text
    assert "and 20 more" in page.text
    settings = dict(page.tables["pairs"])
    assert settings == {"training_args.learning_rate": "2e−5", "labels": "a, b"}
    assert page.tables["extra-1-fairness-table"] == [["group", "F1"], ["a", "0.500"]]


def test_of_a_step_logged_twice_the_last_counts():
    log = [{"step": 1, "loss": 5.0}, {"step": 2, "loss": None}, {"step": 2, "loss": "n/a"}]
    once = render_report(
        ReportData("t", log=[*log, {"step": 1, "loss": 3.0}, {"step": 3, "loss": 2.0}])
    )
    assert once == render_report(
        ReportData("t", log=[{"step": 1, "loss": 3.0}, {"step": 3, "loss": 2.0}])
    )
    assert 'aria-label="Loss (lower is better) over training steps"' in once


SPARSE = {
    "title alone": ReportData("t"),
    "empty frames": ReportData(
        "t", per_label=pd.DataFrame(), confusion=pd.DataFrame(), mistakes=pd.DataFrame(),
        calibration=pd.DataFrame({"confidence": [], "accuracy": [], "count": []}),
        suspicious=pd.DataFrame(), data=DataSummary(), comparison=Comparison(("a", "b")),
    ),
    "not a number": ReportData(
        "t",
        metrics={"accuracy": float("nan"), "accuracy_low": None, "f1_macro": float("inf"), "n": 3},
        log=[{"step": 1, "loss": float("nan"), "epoch": None}, {}],
        per_label=pd.DataFrame({"f1": [np.nan, None]}, index=["a", "b"]),
        confusion=pd.DataFrame([[np.nan, 1], [0, 0]]),
        calibration=pd.DataFrame({"confidence": [np.nan], "accuracy": [1], "count": [2]}),
        data=DataSummary({"train": 0}, {"train": 0}, pd.DataFrame({"train": [None]}, index=["a"])),
    ),
    "one of each": ReportData(
        "t", metrics={"mse": 0.0}, log=[{"step": 7, "loss": 0.0, "eval_f1": 1.0, "learning_rate": 0}],
        per_label=pd.DataFrame({"f1": [1.0]}, index=["a"]),
        confusion=pd.DataFrame([[4]], index=["a"], columns=["a"]),
        cooccurrence=pd.DataFrame([[4]], index=["a"], columns=["a"]),
        calibration=pd.DataFrame({"confidence": [1.0], "accuracy": [1.0], "count": [1]}),
        data=DataSummary(label_counts=pd.DataFrame({"train": [0]}, index=["a"])),
    ),
    "odd labels": ReportData(
        "t",
        per_label=pd.DataFrame({"f1": [0.5, 0.4, 0.3]}, index=["a", "a", ""]),
        confusion=pd.DataFrame([[4, 1, 1], [1, 2, 0]], index=[1, None], columns=[1, None, "no answer"]),
        data=DataSummary(label_counts=pd.DataFrame({"train": [3, 1, 2]}, index=["a", "a", "日本語"])),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPARSE)
def test_missing_parts_and_numbers(name):
    page = Page(render_report(SPARSE[name]))
    assert (
        not re.search(
            r"\b(nan|None|NaT|inf)\b", re.sub("None, predicted|given None", "", page.text)
        )
        or name == "odd labels"
    )
    assert "t" in page.text


@pytest.mark.parametrize("field", [f for f in data_of(3, 50).__dataclass_fields__ if f != "title"])
def test_any_part_may_be_left_out(field):
    default = ReportData.__dataclass_fields__[field]
    value = default.default_factory() if callable(default.default_factory) else default.default
    Page(render_report(data_of(3, 50, **{field: value})))


@pytest.mark.parametrize(("labels", "rows", "length", "limit"), [
    (77, 3000, 60, 0.8e6), (150, 3000, 60, 1e6), (150, 20000, 100000, 2.9e6),
])  # fmt: skip
def test_size(labels, rows, length, limit):
    assert len(render_report(data_of(labels, rows, length)).encode()) < limit


def test_the_same_data_gives_the_same_bytes_whatever_matplotlib_is_set_to(full):
    import matplotlib as mpl

    loud = {"font.size": 30, "axes.grid": True, "lines.linewidth": 9, "text.usetex": True,
            "axes.facecolor": "red", "svg.fonttype": "path", "figure.autolayout": True,
            "xtick.bottom": True, "lines.marker": "x", "axes.labelcolor": "red",
            "axes.spines.top": True, "grid.linestyle": ":", "xtick.minor.visible": True,
            "savefig.bbox": "tight", "savefig.facecolor": "red", "savefig.dpi": 300,
            "svg.hashsalt": "salt", "patch.force_edgecolor": True, "image.cmap": "gray"}  # fmt: skip
    before = dict(mpl.rcParams)
    assert render_report(data_of()) == full
    assert dict(mpl.rcParams) == before
    with mpl.rc_context(loud):
        assert render_report(data_of()) == full


def test_threads_may_draw_at_once(full):
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: render_report(data_of()), range(4))) == {full}


def fresh_process(code, **env):
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True,
        timeout=600, check=False, cwd=os.path.dirname(report_samples.__file__),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_another_process_writes_the_same_and_needs_no_pyplot(full):
    import hashlib

    code = (
        "import sys, hashlib, report_samples\n"
        "from clx.ml.report import render_report\n"
        "text = render_report(report_samples.data_of())\n"
        "assert 'matplotlib.figure' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    assert fresh_process(code, PYTHONHASHSEED="7") == hashlib.sha256(full.encode()).hexdigest()


def test_the_import_is_light():
    code = (
        "import sys, clx.ml.report\n"
        "print({'numpy', 'pandas', 'matplotlib', 'torch'} & {m.split('.')[0] for m in sys.modules})"
    )
    assert fresh_process(code) == "set()"


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert render_report(ReportData("t", metrics={"accuracy": 0.5}))
    with pytest.raises(MissingDependencyError, match="pip install matplotlib"):
        render_report(data_of(3, 50))
