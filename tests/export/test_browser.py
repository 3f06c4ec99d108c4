"""The JavaScript export in a real browser, as a page of somebody's own would have it."""

import html
import json
import re

import pytest

from exported import everything, table_model
from in_browser import needs_chromium, served, shown

MODELS = dict(everything()) | {"packed": table_model(3, hidden=(40, 40))}
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'"
PAGE = (
    '<!DOCTYPE html><html><head><meta charset="utf-8"><script type="module" src="compare.mjs"></script></head></html>'
)
COMPARE = """import { answers, predict, values } from "./m.mjs";
const right = await (await fetch("m.test.json")).json(), columns = Object.entries(right.columns ?? {});
const rows = right.x ?? right.values.map((_, i) => Object.fromEntries(columns.map(([name, all]) => [name, all[i]])));
let largest = 0, wrong = 0;
rows.forEach((row, i) => {
  values(row).forEach((x, j) => { largest = Math.max(largest, Math.abs(x - right.values[i][j])); });
  const said = [predict(row)].flat();
  if (right.labels) wrong += said.some((label, j) => label !== right.labels[i][j]);
});
document.title = JSON.stringify({ rows: rows.length, largest, wrong, targets: answers(rows[0]).length });
"""


@needs_chromium
@pytest.mark.parametrize(
    "name", ["table, classes", "table, two classes", "packed", "labels", "cross_entropy", "float32"]
)
def test_a_page_computes_the_rows_that_went_along(tmp_path, name):
    """Under a policy that allows the page's own modules alone, and makes no code of text."""
    proof = MODELS[name].export(tmp_path / "m.mjs")
    (tmp_path / "index.html").write_text(PAGE, "utf-8")
    (tmp_path / "compare.mjs").write_text(COMPARE, "utf-8")
    with served(tmp_path, POLICY) as address:
        page = shown(f"{address}/index.html", tmp_path)
    found = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", page)[1]))
    assert found["rows"] == 256
    assert found["wrong"] == 0
    assert found["largest"] <= proof.bound
