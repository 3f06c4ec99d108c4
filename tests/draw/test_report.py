import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from netwright.draw import classification as classification_module
from netwright.draw.curves import plot_history
from netwright.draw.page import PICTURES, REPORTS, check_suffix
from netwright.draw.report import write_report
from netwright.draw.words import meaning
from netwright.training.history import History

NO_CLASSES = {"classes": None, "probabilities": None}
SVG = "{http://www.w3.org/2000/svg}"
MAGIC = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml", ".html": b"<!DOCTYPE html>"}


def history(epochs=20, **changes):
    cost = [1 / (epoch + 1) for epoch in range(epochs)]
    scores = {"accuracy": [1 - value / 2 for value in cost]}
    kept = {"cost": cost, "validation_cost": [1.1 * value for value in cost], "validation_scores": scores}
    return History(**(kept | {"best_epoch": epochs, "stopped": f"all {epochs} epochs done"} | changes))


def classified(rows=200, classes=("cat", "dog", "owl"), seed=0):
    """Truth, predictions and probabilities that are right most of the time."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, len(classes), rows)
    P = rng.dirichlet(np.ones(len(classes)), rows)
    P[np.arange(rows), true] += 0.8
    P /= P.sum(axis=1, keepdims=True)
    names = np.array(classes)
    return {"truth": names[true], "predicted": names[P.argmax(axis=1)], "classes": classes, "probabilities": P}


def classification(path, **changes):
    rest = {"history": history(), "scores": {"accuracy": 0.9}, "settings": {"epochs": 20}} | classified() | changes
    write_report(path, **({"title": "Animals", "task": "classification"} | rest))
    return path


def regression(path, **changes):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=300)
    rest = {"truth": truth, "predicted": truth + 0.1 * rng.normal(size=300), "scores": {"r2": 0.99}, "settings": {}}
    write_report(path, **({"title": "Prices", "task": "regression", "history": history()} | rest | changes))
    return path


def sections(page):
    """The page's sections by title; that it parses as XML is part of what is asked of it."""
    return {section.find("h2").text: section for section in ET.parse(page).getroot().iter("section")}


def table(section):
    """The body of the section's table, as text."""
    return [[cell.text or "" for cell in row] for row in section.find(".//tbody")]


def words(section):
    return [text.text for text in section.iter(f"{SVG}text")]


class Page(HTMLParser):
    """What a browser would fetch, run or have to guess."""

    def __init__(self, text):
        super().__init__()
        self.links, self.tags, self.ids = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name.split(":")[-1] in ("href", "src", "data", "action")]
        assert not [name for name, _ in attrs if name.startswith("on")]


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_confusion_matrix_shows_the_counts_and_row_shares(tmp_path):
    rows = classified()
    shown = [
        word for word in words(sections(classification(tmp_path / "r.html"))["Confusion matrix"]) if word[0].isdigit()
    ]
    expected = []
    for row in confusion_matrix(rows["truth"], rows["predicted"], labels=rows["classes"]):
        for count in row:
            expected += [str(count), f"{count / row.sum():.0%}"] if count else ["0"]
    assert shown == expected


def test_class_table_shows_precision_recall_and_f1(tmp_path):
    rows = classified(classes=[f"c{i:02}" for i in range(15)])
    found = table(sections(classification(tmp_path / "r.html", **rows))["Classes"])
    measures = precision_recall_fscore_support(rows["truth"], rows["predicted"], labels=rows["classes"])
    precision, recall, f1, support = measures
    assert found == [
        [name, str(support[i]), f"{precision[i]:.3f}", f"{recall[i]:.3f}", f"{f1[i]:.3f}"]
        for i, name in enumerate(rows["classes"])
    ]


@pytest.mark.parametrize(("rows", "folded"), [(40, False), (41, True)])
def test_a_long_table_is_folded(rows, folded, tmp_path):
    names = [f"c{i:02}" for i in range(rows)]
    found = sections(classification(tmp_path / "r.html", truth=names, predicted=names, **NO_CLASSES))
    assert (found["Classes"].find("details/summary") is not None) == folded


def test_a_class_that_is_never_predicted_has_no_precision(tmp_path):
    found = sections(classification(tmp_path / "r.html", truth=["a", "b"], predicted=["a", "a"], **NO_CLASSES))
    assert table(found["Classes"]) == [["a", "1", "0.500", "1.000", "0.667"], ["b", "1", "–", "0.000", "0.000"]]


def test_classes_that_are_numbers_are_in_their_order_and_written_short(tmp_path):
    years = np.array([2010.0, 990.5, 2009.0])
    found = table(sections(classification(tmp_path / "r.html", truth=years, predicted=years, **NO_CLASSES))["Classes"])
    assert [row[0] for row in found] == ["990.5", "2009", "2010"]
    mixed = ["b", 10, None, 2, "a"]
    found = table(sections(classification(tmp_path / "r.html", truth=mixed, predicted=mixed, **NO_CLASSES))["Classes"])
    assert [row[0] for row in found] == ["2", "10", "None", "a", "b"]


def test_most_frequent_mistakes_of_many_classes(tmp_path):
    names = [f"c{i:02}" for i in range(20)]
    truth, predicted = names * 3 + ["c01"] * 4 + ["c02"] * 3, names * 3 + ["c07"] * 4 + ["c09"] * 3
    found = sections(classification(tmp_path / "r.html", truth=truth, predicted=predicted, **NO_CLASSES))
    assert table(found["Most frequent mistakes"]) == [["c01", "c07", "4"], ["c02", "c09", "3"]]


def test_reliability_is_the_mean_distance_of_the_bins(tmp_path):
    rows = classified(classes=("no", "yes"))
    found = sections(classification(tmp_path / "r.html", **rows))["Reliability of the probabilities"]
    p, hit = rows["probabilities"][:, 1], rows["truth"] == "yes"
    bins = [(p >= low) & (p < low + 0.1) for low in np.arange(10) / 10]
    distance = sum(abs(p[b].mean() - hit[b].mean()) * b.mean() for b in bins if b.any())
    assert f"mean distance is {distance:.3f}" in found.find("p").text
    assert "probability of “yes”" in words(found)


def test_reliability_has_wilsons_intervals():
    true, p = np.repeat([0, 1], [30, 10]), np.full(40, 0.25)
    figure = Figure()
    classification_module._reliability(["no", "yes"], true, np.column_stack([1 - p, p])).draw(figure)
    (bar,) = figure.axes[0].collections[0].get_segments()
    interval = binomtest(10, 40).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(bar[:, 1], [interval.low, interval.high], rtol=1e-4)


def test_regression_page_says_what_the_mean_would_do(tmp_path):
    page = regression(tmp_path / "r.html", truth=[1.0, 2.0, 3.0, 6.0], predicted=[1.0, 2.5, 3.0, 5.0])
    assert list(sections(page)) == ["Learning curve", "Predicted against true", "Residuals"]
    assert "Always saying their mean, 3.000, would have an RMSE of 1.871." in page.read_text("utf-8")


@pytest.mark.parametrize("write", [classification, regression])
def test_page_loads_nothing_and_runs_nothing(write, tmp_path):
    text = write(tmp_path / "r.html", settings={"table": "http://x.test/a.csv"}).read_text("utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert all(link.startswith(("#", "data:image/png")) for link in page.links)
    assert not re.search(r"@import|url\((?!#)", text)
    assert len(page.ids) == len(set(page.ids))
    for link in {link[1:] for link in page.links if link.startswith("#")} | set(re.findall(r"url\(#([^)]+)\)", text)):
        assert link in page.ids


def test_whatever_comes_from_data_is_escaped(tmp_path):
    evil = ['<script>alert("1")</script>', '$x^$ & </svg> id="k" \'', "nul\x00 esc\x1b \ud800 日本"]
    page = classification(
        tmp_path / "r.html",
        **classified(classes=evil[:2]) | {"title": evil[0], "scores": {evil[0]: 1.0}, "notes": evil},
        settings={evil[0]: evil[1], evil[2]: evil},
        history=history(stopped=evil[0], validation_scores={evil[1]: [0.1] * 19 + [0.2]}),
    )
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert "script" not in Page(text).tags
    found = sections(page)
    assert [row[0] for row in table(found["Classes"])] == evil[:2]
    assert [row[0] for row in table(found["Notes"])] == [*evil[:2], "nul� esc� � 日本"]
    assert any(word.startswith("$x^$ & <") for word in words(found["Confusion matrix"]))


def test_settings_and_scores_are_written_as_people_write_them(tmp_path):
    settings = {
        "hidden": [32, 16],
        "learning_rate": 0.001,
        "nesterov": True,
        "weights": None,
        "optimizer": {"name": "adam", "beta1": 0.9},
    }
    scores = {
        "log loss": 0.5,
        "rmse": 12345.678,
        "r2": float("nan"),
        "cost": float("inf"),
        "own_score": -0.5,
        "mae": 0.25,
    }
    page = regression(tmp_path / "r.html", settings=settings, scores=scores)
    shown = dict(table(sections(page)["Settings"]))
    assert shown == {
        "hidden": "32, 16",
        "learning rate": "0.001",
        "nesterov": "yes",
        "weights": "–",
        "optimizer": "adam, beta1 0.9",
    }
    cards = {card[0].text: card[1].text for card in ET.parse(page).getroot().iter("div")}
    assert "0 is perfect" in page.read_text("utf-8")
    assert cards == {
        "log loss": "0.5000",
        "RMSE": "12,346",
        "R²": "–",
        "cost": "∞",
        "own score": "−0.5000",
        "MAE": "0.2500",
    }


# ── shapes that a run may leave ──────────────────────────────────────────────────────────────────────────────────────

HARD = {
    "one epoch": lambda path: classification(path, history=history(1)),
    "no history": lambda path: classification(path, history=None),
    "validation cost infinite": lambda path: regression(
        path, history=history(3, validation_cost=[np.inf] * 3, best_epoch=None)
    ),
    "first epochs infinite": lambda path: regression(path, history=history(3, validation_cost=[np.inf, 2, 1])),
    "no validation": lambda path: regression(path, history=History(cost=[3.0, 2.0], stopped="all 2 epochs done")),
    "costs from 0 to 1e300": lambda path: regression(
        path, history=history(4, cost=[1e300, 1e-320, 0, -1], validation_cost=[1e99, 1e-300, 1, 1])
    ),
    "NaN scores": lambda path: regression(
        path, scores={"r2": np.nan}, history=history(2, validation_scores={"r2": [np.nan] * 2, "mae": [np.nan, 1]})
    ),
    "scores of all sizes": lambda path: regression(
        path, history=history(3, validation_scores={"r2": [-1e9, 0, 0.9], "rmse": [9e9, 1, 1], "mae": [1, 0.5, 0.4]})
    ),
    "two rows": lambda path: classification(path, truth=["a", "b"], predicted=["b", "b"], **NO_CLASSES),
    "two equal values": lambda path: regression(path, truth=[1.0, 1.0], predicted=[1.0, 1.0]),
    "no rows": lambda path: classification(path, truth=[], predicted=[], **NO_CLASSES),
    "no values": lambda path: regression(path, truth=[], predicted=[]),
    "one class": lambda path: classification(path, truth=[1, 1], predicted=[1, 1], **NO_CLASSES),
    "labels of all kinds": lambda path: classification(
        path, truth=[1, "a", True, None], predicted=[2, "a", False, None], **NO_CLASSES
    ),
    "a label that is not among the classes": lambda path: classification(
        path, truth=["a", "new"], predicted=["a", "b"], classes=["a", "b"], probabilities=[[0.9, 0.1], [0.2, 0.8]]
    ),
    "26 classes": lambda path: classification(path, **classified(classes=[chr(65 + i) for i in range(26)])),
    "60 classes": lambda path: classification(path, **classified(classes=[f"c{i}" for i in range(60)])),
    "600 classes": lambda path: classification(path, **classified(2000, [f"class {i}" for i in range(600)])),
    "long labels": lambda path: classification(path, **classified(classes=[c * 200 for c in "abcdefgh"])),
    "probabilities of NaN": lambda path: classification(path, probabilities=np.full((200, 3), np.nan)),
    "infinite predictions": lambda path: regression(path, truth=[1, 2, 3.0], predicted=[np.inf, np.nan, 1e300]),
    "outliers": lambda path: regression(path, truth=np.arange(100.0), predicted=np.r_[np.arange(98.0), 1e9, -1e9]),
    "float32": lambda path: regression(path, truth=np.ones(9, "f4"), predicted=np.arange(9, dtype="f4")),
    "nothing but rows": lambda path: regression(path, scores={}, settings={}, notes=()),
}


@pytest.mark.parametrize("name", HARD)
def test_any_run_leaves_a_page(name, tmp_path):
    path = tmp_path / "r.html"
    HARD[name](path)
    sections(path)
    assert not re.search(r"\bnan\b", re.sub("<[^>]*>", " ", path.read_text("utf-8")), re.IGNORECASE)


@pytest.mark.parametrize("name", ["one epoch", "no rows", "600 classes", "long labels", "nothing but rows"])
def test_any_run_leaves_a_picture(name, tmp_path):
    path = tmp_path / "r.png"
    HARD[name](path)
    assert path.read_bytes().startswith(MAGIC[".png"])


def test_a_million_rows_are_sampled(tmp_path):
    values = np.random.default_rng(0).normal(size=1_000_000)
    page = regression(tmp_path / "r.html", truth=values, predicted=values + 1)
    assert page.stat().st_size < 1_000_000
    section = sections(page)["Predicted against true"]
    assert "2,000 of 1,000,000 rows" in section.find("p").text
    assert 1900 < len(list(section.iter(f"{SVG}use"))) < 2100


def test_rows_that_cannot_be_drawn_are_counted(tmp_path):
    page = regression(tmp_path / "r.html", truth=[1.0, 2, 3, 4], predicted=[1, 2, np.nan, np.inf])
    assert "2 rows without a finite value are left out" in page.read_text("utf-8")


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("suffix", REPORTS)
@pytest.mark.parametrize("write", [classification, regression])
def test_same_input_same_bytes(write, suffix, tmp_path):
    first, second = (write(tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second
    assert first.startswith(MAGIC[suffix])


def test_the_users_own_style_changes_nothing_and_stays(tmp_path):
    import matplotlib

    plain = classification(tmp_path / "a.svg").read_bytes()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black"}):
        assert classification(tmp_path / "b.svg").read_bytes() == plain
        assert matplotlib.rcParams["font.size"] == 30


@pytest.mark.parametrize("write", [lambda path: classification(path), lambda path: plot_history(history(), path)])
def test_a_failure_leaves_the_file_that_was_there(write, tmp_path, monkeypatch):
    path = tmp_path / "r.svg"
    path.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match=r"cannot write .*r\.svg: No space left"):
        write(path)
    assert [file.name for file in tmp_path.iterdir()] == ["r.svg"]
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "clustering"}, "unknown task 'clustering'; choose one of classification, regression"),
        ({"predicted": ["cat"]}, r"truth and predicted must be \(rows,\) both, got \(200,\) and \(1,\)"),
        ({"probabilities": np.ones((200, 2))}, r"probabilities must be \(rows, classes\), \(200, 3\), got \(200, 2\)"),
    ],
)
def test_what_does_not_fit_is_named(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        classification(tmp_path / "r.html", **changes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["r.jpg", "r", "r.html.gz"])
def test_other_suffixes_are_answered_with_those_there_are(name, tmp_path):
    with pytest.raises(ValueError, match=r"must be one of \.html, \.pdf, \.png, \.svg, got"):
        classification(tmp_path / name)
    with pytest.raises(ValueError, match=r"must be one of \.pdf, \.png, \.svg, got"):
        plot_history(history(), tmp_path / name)
    assert check_suffix("R.HTML") == ".html"


# ── the learning curve alone ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("suffix", PICTURES)
def test_plot_history_writes_a_picture(suffix, tmp_path):
    axes, _ = (history().plot(tmp_path / f"{name}{suffix}") for name in "ab")
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second
    assert first.startswith(MAGIC[suffix])
    lines = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_array_equal(lines["cost"].get_xydata(), np.column_stack([np.arange(1, 21), history().cost]))
    np.testing.assert_array_equal(lines["validation cost"].get_ydata(), history().validation_cost)
    assert lines["best: 0.05500 in epoch 20"].get_xydata().tolist() == [[20, history().validation_cost[-1]]]


@pytest.mark.parametrize(
    ("cost", "scale"), [([1, 0.5], "linear"), ([100, 1], "log"), ([100, 0], "linear"), ([9, -9], "linear")]
)
def test_log_scale_when_it_helps(cost, scale, tmp_path):
    assert plot_history(History(cost=cost), tmp_path / "h.svg").get_yscale() == scale


def test_scores_that_share_no_scale_are_left_out(tmp_path):
    scores = {"accuracy": [0.5, 0.9], "dollars": [9000.0, 8000.0], "f1": [0.4, 0.8]}
    _, below = plot_history(history(2, validation_scores=scores), tmp_path / "h.svg").figure.axes
    assert [line.get_label() for line in below.get_lines()][:2] == ["accuracy", "F1"]


def test_plot_history_of_nothing():
    with pytest.raises(ValueError, match="the history is empty"):
        plot_history(History())


def test_without_a_path_the_picture_is_pyplots(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    from matplotlib import pyplot

    axes = plot_history(history())
    assert pyplot.gcf() is axes.figure
    pyplot.close(axes.figure)


def test_with_a_path_pyplot_is_not_loaded_and_without_a_picture_nothing_is(tmp_path):
    code = f"""
import sys
from netwright.training.history import History
import netwright.draw.page
assert not [name for name in sys.modules if name.startswith("matplotlib")]
History(cost=[2.0, 1.0]).plot({str(tmp_path / "h.svg")!r})
assert "matplotlib.figure" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_score_that_training_knows_has_its_meaning():
    from netwright.core.scores import SCORES

    for name in SCORES:
        title, explained = meaning(name)
        assert title.lower().replace("²", "2") == name
        assert len(explained) > 20
    assert meaning("my_own") == ("my own", "")
    assert meaning("balanced accuracy")[1]
