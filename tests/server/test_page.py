"""The page of the server in a real browser: Debian's chromium, headless."""

import pytest

from clx_runtime.server.app import make_app
from clx_runtime.server.served import Computed, Facts
from serving import running

LABELS = ("card_lost", "<b>top up</b>", *(f"label {n}" for n in range(30)))


class Several:
    """A run of many labels with thresholds, whose scores depend on the length of the text."""

    name = "bank"
    limits = dict.fromkeys(LABELS, 0.5)

    def open(self):
        return self

    def stamp(self):
        return 1

    @property
    def facts(self):
        return Facts(
            self.name, "multilabel", "0" * 64, "onnx", "cpu", LABELS, True, "none", self.limits, 8,
            ("text",),
        )  # fmt: skip

    def compute(self, texts, needs):
        import numpy as np

        chosen = [0.9, 0.7] if "both" in texts else [0.1, 0.2]
        scores = [*chosen, *([0.05] * (len(LABELS) - 2))]
        cut = [len(text) > 40 for text in texts]
        predictions = [dict(zip(LABELS, scores, strict=True))] * len(texts)
        return Computed(np.array([scores] * len(texts)), predictions, cut, [3] * len(texts))

    def row(self, prediction, **_):
        chosen = [label for label, score in prediction.items() if score >= 0.5]
        return {"labels": chosen, "scores": [prediction[each] for each in chosen], "margin": 0.1}


@pytest.fixture(scope="module")
def server():
    with running(make_app([Several()], token="secret")) as client:
        yield str(client.base_url)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "path"), [(1280, "/"), (360, "/runs/bank")])
def test_a_person_sees_labels_scores_thresholds_and_what_was_cut(
    server, browser, scheme, width, path, tmp_path
):
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page, complaints, hosts = context.new_page(), [], set()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(server + path)
    page.get_by_text("Send the header Authorization").wait_for()
    page.get_by_label("Token").fill("secret")
    page.get_by_role("button", name="Classify").click()
    page.get_by_role("heading", name="bank").wait_for()
    page.get_by_label("Text").fill("both")
    page.get_by_role("button", name="Classify").click()
    page.locator(".decision").wait_for()
    assert page.locator(".decision").inner_text() == "card_lost, <b>top up</b>"
    assert page.locator("tr.chosen th").all_inner_texts() == ["card_lost", "<b>top up</b>"]
    assert page.locator("tr").count() == 20
    assert page.locator("tr.chosen td:last-child").all_inner_texts() == ["0.900", "0.700"]
    assert page.locator(".limit").first.get_attribute("title") == "threshold 0.500"
    assert "and 12 labels" in page.locator("#answer").inner_text()
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    page.get_by_label("Text").fill("a text that is much too long for this model, so it is cut")
    page.keyboard.press("Control+Enter")
    page.get_by_text("longer than 8 tokens").wait_for()
    assert page.locator(".decision").inner_text() == "No label"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(20, 24, 29)") == (scheme == "dark")
    assert complaints == []
    assert hosts == {server.split("/")[2]}
    context.close()
