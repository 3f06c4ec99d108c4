"""The panel of a report in which one changes a row: its script, run in Node on a page of few words, and in Chromium."""

import base64
import hashlib
import json
import re
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from click.testing import CliRunner

from exported import HOSTILE, frame, table_model
from in_browser import needs_chromium, shown
from netwright import load
from netwright.cli import main
from netwright.draw.report import write_report
from netwright.export.export import runtime
from netwright.export.live import Row, live

PAGE = """
class Node {
  constructor(tag) { Object.assign(this, { tag, children: [], heard: {}, value: "", textContent: "" }); }
  append(...more) { this.children.push(...more); }
  replaceChildren(...more) { this.children = more; }
  addEventListener(what, hear) { this.heard[what] = hear; }
  enter(value) { this.value = value; this.heard.input(); }
}
const byId = Object.fromEntries(["live-form", "live-said", "live-true"].map((id) => [id, new Node("div")]));
globalThis.document = { getElementById: (id) => byId[id], createElement: (tag) => new Node(tag), activeElement: null };
globalThis.Option = class extends Node {
  constructor(text, value) { super("option"); this.textContent = text; this.value = value; }
};
globalThis.said = () => byId["live-said"].children.map((each) =>
  each.tag === "strong" ? each.textContent : each.children.map((part) => part.textContent || part.value));
globalThis.fields = () =>
  byId["live-form"].children.map(({ children: [label, ...inputs] }) => [label.textContent, inputs]);
"""


def shows(script, changes, tmp_path):
    """What the panel says at first, and after each change: {column: value}."""
    (tmp_path / "page.mjs").write_text(PAGE, encoding="utf-8")
    (tmp_path / "panel.mjs").write_text(f'import "./page.mjs";\n{script}', encoding="utf-8")
    asked = json.dumps([[[*change.items()] for change in changes]])
    (tmp_path / "run.mjs").write_text(
        f"""import "./panel.mjs";
const found = [said()], [changes] = {asked};
for (const change of changes) {{
  for (const [name, value] of change) fields().find(([label]) => label === name)[1][0].enter(value);
  found.push(said());
}}
console.log(JSON.stringify(found));
""",
        encoding="utf-8",
    )
    done = subprocess.run(
        [runtime("node"), "--disallow-code-generation-from-strings", "run.mjs"],
        cwd=tmp_path, capture_output=True, text=True, check=False, encoding="utf-8",
    )  # fmt: skip
    assert not done.returncode, done.stderr[:2000]
    return json.loads(done.stdout)


def rows_of(model, count=3):
    data = frame().take(np.arange(count))
    columns = [data.column(each.name).tolist() for each in model.program().columns]

    def told(value):
        if value is None or value != value:
            return None
        return value if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)

    return [Row(f"line {i + 2}", [told(column[i]) for column in columns], "?") for i in range(count)], data


@pytest.mark.parametrize("classes", [0, 2, 5])
def test_the_panel_says_what_the_model_does(tmp_path, classes):
    model = table_model(classes)
    rows, data = rows_of(model)
    panel = live(model.program(), rows)
    changes = [{"begin with": "1"}, {"number": "-3.5"}, {"level": ""}, {"level": HOSTILE[0]}, {"number": ""}]
    found = shows(panel.script, changes, tmp_path)
    given = {name: column[[0, 1, 1, 1, 1, 1]].copy() for name, column in data.columns.items()}
    given["number"][2:] = [-3.5, -3.5, -3.5, np.nan]
    given["level"][3:] = [None, HOSTILE[0], HOSTILE[0]]
    predicted = model.predict(given)
    if not classes:
        assert [float(said.replace(",", "")) for (said,) in found] == pytest.approx(predicted.tolist(), rel=1e-3)
        return
    P = model.predict_proba(given)
    for said, label, p in zip(found, predicted, P, strict=True):
        assert said[0] == label
        told = {name: float(share.removesuffix(" %")) / 100 for name, _, share in said[1:]}
        assert told == pytest.approx(dict(zip(model.target.classes, p, strict=True)), abs=6e-4)


def test_many_weights_go_in_half_precision_and_that_is_said(tmp_path):
    model = table_model(3, hidden=(128, 128), networks=12)
    rows, _ = rows_of(model)
    panel = live(model.program(), rows)
    said = re.search(
        r"in half precision: on trial rows that changed a probability by at most (\S+) and 0 of 256", panel.panel
    )
    assert 0 < float(said[1]) < 2e-3
    weights = sum(network.theta.size for network in model.network.networks)
    assert len(panel.script) < 2 * weights * 1.4 + 60_000
    label, *bars = shows(panel.script, [], tmp_path)[0]
    assert label == model.predict(frame().take(np.arange(1)))[0]
    assert len(bars) == 3


class Parts(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.policy, self.scripts, self.inside = "", [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.policy = given.get("content", "") if given.get("http-equiv") else self.policy
        self.inside = tag == "script"
        self.scripts += [""] * self.inside

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.scripts[-1] += data


def page_of(model, path):
    rows, _ = rows_of(model)
    write_report(
        path, title="t", task="regression", history=None, scores={}, settings={},
        truth=[1.0, 2.0], predicted=[1.0, 2.1],
        live=live(model.program(), rows),
    )  # fmt: skip
    return path.read_text(encoding="utf-8")


def test_the_page_runs_its_own_script_and_no_other(tmp_path):
    """Names and levels such as </script> end nothing, and the policy names the one script by its hash."""
    parts = Parts(page_of(table_model(5), tmp_path / "r.html"))
    assert len(parts.scripts) == 1
    digest = base64.b64encode(hashlib.sha256(parts.scripts[0].encode()).digest()).decode()
    assert parts.policy == f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"


@needs_chromium
def test_a_browser_shows_it(tmp_path):
    model = table_model(2)
    page_of(model, tmp_path / "r.html")
    page = shown((tmp_path / "r.html").as_uri(), tmp_path)
    said = re.search(r'id="live-said".*?<strong>(.*?)</strong>', page, re.DOTALL)
    label = model.predict(frame().take(np.arange(1)))[0]
    assert said[1] == label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert page.count("<script") == 1


def test_the_command_leaves_it_out_when_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ["a,b,y", *(f"{i % 7},{'pq'[i % 2]},{i % 7 * 2 + i % 2}" for i in range(60))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    quick = [
        "train",
        "t.csv",
        "-t",
        "y",
        "--task",
        "regression",
        "--hidden",
        "4",
        "--epochs",
        "3",
        "-o",
        "m.safetensors",
    ]
    for more, panels in (([], 1), (["--no-live"], 0)):
        result = CliRunner().invoke(main, [*quick, "--report", "r.html", *more])
        assert result.exit_code == 0, result.output
        text = (tmp_path / "r.html").read_text(encoding="utf-8")
        assert text.count("<h2>Try it</h2>") == len(Parts(text).scripts) == panels
        for title in ("Which columns matter", "Largest residuals", "The data"):
            assert f"<h2>{title}</h2>" in text
        assert "guessing has" in text
    assert load("m.safetensors").predict({"a": [1.0], "b": ["p"]}).shape == (1,)
