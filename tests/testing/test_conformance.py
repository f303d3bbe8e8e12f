"""The conformance kit on correct tasks, and how it reports what it finds."""

import importlib
import json
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest

from cli_helpers import Cli, process
from clx.errors import ClxWarning, ConfigError
from clx.testing import CHECKS, TaskConformance, check_task, parametrize_with_checks
from clx_tasks_classification import ClassificationRun
from clx_tasks_multilabel import MultiLabelRun
from clx_tasks_tokens import TokenClassificationRun

EXAMPLES = Path(__file__).parents[2] / "examples"
for _name in ("rating", "ner", "similarity", "topic"):
    sys.path.append(str(EXAMPLES / f"clx-tasks-{_name}" / "src"))

NerRun = importlib.import_module("clx_tasks_ner").NerRun
RatingRun = importlib.import_module("clx_tasks_rating").RatingRun
SimilarityRun = importlib.import_module("clx_tasks_similarity").SimilarityRun
TopicRun = importlib.import_module("clx_tasks_topic").TopicRun

# Warnings are errors in this suite, so these tasks must pass without any.


class TestClassification(TaskConformance):
    task = ClassificationRun


class TestMultiLabel(TaskConformance):
    task = MultiLabelRun
    config_values = {
        "threshold_objective": "precision",
        "threshold_target": 0.9,
        # The names must be those of label_names.
        "label_names": ["red", "fruit"],
        "label_columns": ["red", "fruit"],
    }


class TestTokenClassification(TaskConformance):
    task = TokenClassificationRun
    config_values = {
        "threshold_objective": "precision",
        "threshold_target": 0.9,
        "aggregation_strategy": "average",
    }


class TestNer(TaskConformance):
    task = NerRun


class TestSimilarity(TaskConformance):
    task = SimilarityRun


class TestTopic(TaskConformance):
    task = TopicRun


STATIC = [
    check.name for check in CHECKS.values() if not check.trains and check.name != "own_options"
]


def test_results_are_values(capsys):
    results = list(check_task(RatingRun, checks=STATIC, skip={"good_frames": "for a reason"}))
    assert [result.name for result in results] == STATIC
    assert {result.outcome for result in results} == {"passed", "skipped"}
    assert all(result.ok for result in results)
    skipped = results[STATIC.index("good_frames")]
    assert str(skipped) == "good_frames: skipped: for a reason"
    assert json.loads(json.dumps(skipped.to_dict()))["saw"] == "for a reason"
    assert capsys.readouterr().out == ""


def test_unknown_check_names_are_rejected():
    with pytest.raises(ConfigError, match="'atributes'; did you mean 'attributes'"):
        list(check_task(RatingRun, checks=["atributes"]))
    with pytest.raises(ConfigError, match="'frame'; did you mean 'frames'"):
        list(check_task(RatingRun, checks=[], skip={"frame": "no"}))


def test_a_sample_is_needed():
    one = pd.DataFrame({"text": ["one"]})
    first, second = check_task(RatingRun, one, checks=["sample_texts", "good_frames"])
    assert first.outcome == "failed"
    assert "a sample of at least two rows" in first.saw
    assert str(second) == (
        "good_frames: skipped: the sample cannot be used; see the check `sample_texts`"
    )


class OfWords(RatingRun):
    """What an author of a token classification task may start with."""

    text_columns = ("words",)

    def validate_data_format(self, data):
        assert "words" in data
        assert "score" in data

    def tokenize(self, examples):
        encoded = self.tokenizer(examples["words"], is_split_into_words=True, truncation=True)
        return {**encoded, "labels": [float(score) for score in examples["score"]]}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"words": [["one", "two"], ["three"]]}, "'words' is ['one', 'two'] in row 0"),
        ({"words": ["one", None]}, "'words' is nan in row 1"),
        ({"text": ["one", "two"]}, "no column 'words', only text, score"),
    ],
)
def test_a_sample_without_texts_is_one_failure(columns, said):
    checks = [name for name in CHECKS if name != "public_names"]  # this file is no author's
    sample = pd.DataFrame({**columns, "score": [1, 2]})
    results = list(check_task(OfWords, sample, checks=checks))
    failed = [result for result in results if not result.ok]
    assert [result.name for result in failed] == ["sample_texts"]
    assert said in failed[0].saw
    assert "sample_data() (the kit's `sample`)" in failed[0].saw
    assert f"OfWords.text_columns ({__file__}:" in failed[0].where
    skipped = [result for result in results if result.outcome == "skipped"]
    assert len(skipped) >= 20
    assert {result.saw.rpartition("; ")[2] for result in skipped} == {
        "see the check `sample_texts`"
    }


class NoSample(RatingRun):
    @classmethod
    def sample_data(cls):
        raise RuntimeError("there is no sample")


def test_a_sample_data_that_raises_is_one_failure():
    results = list(check_task(NoSample, checks=["sample_texts", "good_frames", "learns"]))
    assert [result.outcome for result in results] == ["failed", "skipped", "skipped"]
    assert "RuntimeError: there is no sample" in results[0].saw


class Vague(RatingRun):
    def validate_data_format(self, data):
        """Raise without a useful message."""
        if "score" not in data:
            raise ValueError("wrong")


def test_a_failure_says_what_a_user_sees_why_it_matters_and_where_to_fix_it():
    (result,) = check_task(Vague, checks=["bad_frames"])
    assert result.outcome == "failed"
    assert "only text" not in result.saw
    text = str(result)
    assert "What a user sees: " in text
    assert "Why it matters:   The user trains on garbage" in text
    assert f"Vague.validate_data_format ({__file__}:" in text
    line = int(text.rpartition(":")[2].rstrip(")"))
    assert "def validate_data_format" in Path(__file__).read_text().splitlines()[line - 1]


class Careless(RatingRun):
    def infer_config(self, data):
        """Fail for every frame."""
        raise RuntimeError("no such column")


def test_one_cause_is_reported_once():
    names = ["frames_untouched", "same_data_same_config"]
    first, second = check_task(Careless, checks=names)
    assert (first.outcome, second.outcome) == ("failed", "skipped")
    assert "no such column" in first.saw
    assert f"Careless.infer_config ({__file__}:" in first.where
    assert second.saw == "it has the cause that the check `frames_untouched` reports"


AUTHORS = {
    "test_class.py": """
        from clx.testing import TaskConformance
        from clx_tasks_rating import RatingRun

        class TestRating(TaskConformance):
            task = RatingRun
    """,
    "test_function.py": """
        from clx.testing import parametrize_with_checks
        from clx_tasks_rating import RatingRun

        @parametrize_with_checks(RatingRun, skip={"attributes": "we know"})
        def test_rating(check):
            check()
    """,
    "test_broken.py": """
        from clx.testing import TaskConformance
        from clx_tasks_rating import RatingRun

        class Broken(RatingRun):
            pipeline_args = {}

        class TestBroken(TaskConformance):
            task = Broken
    """,
}


def test_an_authors_test_files(tmp_path):
    """One test id per check, in a class and in a function; a failure shows text, not a traceback."""
    for name, text in AUTHORS.items():
        (tmp_path / name).write_text(textwrap.dedent(text))
    code = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    done = process(
        "-q", "-p", "no:cacheprovider", "-rs", str(tmp_path), "-k",
        "attributes or signatures or bad_frames",
        folders=[EXAMPLES / "clx-tasks-rating" / "src"], code=code,
    )  # fmt: skip
    assert "1 failed, 6 passed, 2 skipped" in done.stdout, done.stdout
    assert "it is not a valid task; see the check `attributes`" in done.stdout
    assert "we know" in done.stdout
    assert "TestBroken.test_attributes" in done.stdout
    assert "What a user sees: PluginError: Broken is not a valid task" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_warning_reaches_the_author():
    (result,) = check_task(MultiLabelRun, checks=["own_options"])
    assert result.outcome == "warned"
    assert result.ok
    assert "config_values = {'label_columns'" in result.saw
    from clx.testing.conformance import report_to_pytest

    with pytest.warns(ClxWarning, match="config_values"):
        report_to_pytest(result)


def test_the_function_form_is_collected_without_running_the_task():
    mark = parametrize_with_checks(RatingRun)
    ids = [parameter.id for parameter in mark.args[1]]
    assert ids == list(CHECKS)


def test_check_task_by_name(capsys, monkeypatch, tmp_path):
    clx = Cli(capsys, monkeypatch)
    assert clx("check-task", "classification", "--only", ",".join(STATIC)).status == 0, clx.err
    assert [line[:2] for line in clx.lines[1:]] == [[name, "passed"] for name in STATIC]
    sample = tmp_path / "sample.csv"
    sample.write_text("text,label\na,b\n")
    only = ("--only", "sample_texts", "--json")
    assert clx("check-task", "classification", "--sample", sample, *only).status == 1
    (found,) = json.loads(clx.out)["checks"]
    assert found["outcome"] == "failed"
    assert clx("check-task", "classification", "--only", "nothing").status == 2
    assert clx("check-task", "unheard-of").status == 2
