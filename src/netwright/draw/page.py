"""The page that a training leaves: one HTML file that needs nothing else, made of panels, each a picture or a table."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from netwright.draw.words import clean, setting, words

PICTURES = (".pdf", ".png", ".svg")
REPORTS = (".html", *PICTURES)
OPEN = 40  # rows of a table; a longer one is folded


@dataclass(frozen=True)
class Panel:
    """One thing to look at: `draw` puts it on a figure of `size` inches, or `rows` are a table under `header`."""

    title: str
    caption: str = ""
    draw: Callable[[Any], Any] | None = None
    size: tuple[float, float] = (6.0, 4.0)
    header: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    words: int = 1  # the first columns are text, the others numbers
    wide: bool = False


def tables(settings: Mapping[str, Any], notes: Iterable[str]) -> list[Panel]:
    """What a training was asked for and what there is to say of it, as panels."""
    listed = [(words(name), setting(value)) for name, value in settings.items()]
    said = [(clean(note),) for note in notes]
    return [Panel("Settings", rows=listed, words=2), Panel("Notes", rows=said, wide=True)]


def check_suffix(path: Any, suffixes: tuple[str, ...] = REPORTS) -> str:
    """The path's suffix; ValueError names those there are when it is none of them."""
    suffix = Path(path).suffix.lower()
    if suffix not in suffixes:
        raise ValueError(f"cannot write {path}: its suffix must be one of {', '.join(suffixes)}, got {suffix!r}")
    return suffix


STYLE = """
body { max-width: 1120px; margin: 0 auto; padding: 36px 24px 64px; background: #fff; color: #1f2328;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; color-scheme: light }
h1, h2, dt, dd.number { font-weight: 600 }
h1 { font-size: 27px; line-height: 1.25; margin: 0 0 4px }
h2 { font-size: 16px; margin: 0 }
p { color: #57606a; margin: 2px 0 10px }
section p { max-width: 78ch }
h1, p, .text { overflow-wrap: anywhere }
dl { display: flex; flex-wrap: wrap; gap: 20px 44px; margin: 22px 0 34px; padding: 18px 0;
  border: solid #d8dce1; border-width: 1px 0 }
dl div { display: flex; flex-direction: column; max-width: 250px }
dd { margin: 0; color: #57606a; font-size: 13px; line-height: 1.4 }
dd.number { order: -1; color: #1f2328; font-size: 30px; line-height: 1.2 }
main { display: grid; grid: auto-flow dense / repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 38px 48px }
section { min-width: 0 }
section.wide { grid-column: 1 / -1 }
svg { display: block; width: 100%; max-width: 620px; height: auto }
.wide svg { max-width: 840px }
svg text { font-family: inherit !important }
table { border-collapse: collapse; width: 100%; margin-top: 8px; font-size: 14px }
th, td { padding: 4px 0 4px 16px; border-bottom: 1px solid #e8ebee; text-align: right; vertical-align: top }
th { color: #57606a; font-weight: 500 }
th:first-child, td:first-child { padding-left: 0 }
.text { text-align: left }
.text:nth-last-child(2) { min-width: 9em }
td, dd.number { font-variant-numeric: tabular-nums }
summary { cursor: pointer; margin-top: 8px }
.live { display: grid; grid-template-columns: minmax(0, 2fr) minmax(220px, 1fr); gap: 16px 48px; align-items: start }
.live form { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 10px 24px }
.live > div { position: sticky; top: 16px }
.field { display: flex; flex-direction: column; min-width: 0; font-size: 14px }
.field label { color: #57606a; overflow-wrap: anywhere }
.field input, .field select { font: inherit; width: 100%; box-sizing: border-box; padding: 3px 6px; border-radius: 4px;
  border: 1px solid #8c959f; background: #fff; color: inherit }
.field input[type=range] { padding: 0; border: 0 }
#live-said strong { display: block; font-size: 30px; line-height: 1.3; overflow-wrap: anywhere }
.bar { display: grid; grid-template-columns: minmax(0, 1fr) 90px 58px; gap: 10px; align-items: center; font-size: 14px;
  font-variant-numeric: tabular-nums }
.bar span { overflow-wrap: anywhere }
.bar span:last-child { text-align: right }
meter { width: 100% }
@media (max-width: 700px) { .live { grid-template-columns: 1fr } .live > div { position: static } }
@media print { .live { display: none } }
@media print { body { padding: 0; max-width: none; font-size: 12px } section, dl { break-inside: avoid }
  main { grid-template-columns: 1fr 1fr; gap: 20px 28px } section.long { break-inside: auto } }
"""


def html(
    title: str, lead: str, cards: list[tuple[str, str, str]], panels: list[Panel], svg: Callable[[Panel, str], str],
    live: tuple[str, str] | None = None,
) -> str:  # fmt: skip
    """One page of HTML that is well-formed XML too, and by its policy loads nothing and runs nothing but `live`.

    cards: (score, meaning, number). svg: a panel's picture as an element whose ids begin with the prefix. live: a
    section of HTML and the script that it needs, which the policy names by its hash.
    """
    heads = "".join(
        f'<div><dt>{escape(name)}</dt><dd class="number">{shown}</dd><dd>{escape(meaning)}</dd></div>\n'
        for name, meaning, shown in cards
    )
    sections = ""
    for place, panel in enumerate(panels):
        kind = "wide" if panel.wide else "long" if len(panel.rows) > 20 else "plain"
        caption = f"<p>{escape(panel.caption)}</p>" if panel.caption else ""
        body = svg(panel, f"p{place}-") if panel.draw else _table(panel)
        sections += f'<section class="{kind}"><h2>{escape(panel.title)}</h2>{caption}{body}</section>\n'
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    script = ""
    if live:
        section, module = live
        module = f"//<![CDATA[\n{module}\n//]]>"
        sections = section + sections
        policy += f"; script-src 'sha256-{base64.b64encode(hashlib.sha256(module.encode()).digest()).decode()}'"
        script = f'<script type="module">{module}</script>\n'
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/><title>{escape(title)}</title>
<meta http-equiv="Content-Security-Policy" content="{policy}"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<style>{STYLE}</style></head>
<body><h1>{escape(title)}</h1>
<p>{escape(lead)}</p>
{f"<dl>{heads}</dl>" if heads else ""}
<main>
{sections}</main>
{script}</body></html>
"""


def _table(panel: Panel) -> str:
    def row(cells: Iterable[str], tag: str) -> str:
        left = ' class="text"'
        return "".join(f"<{tag}{left * (j < panel.words)}>{escape(cell)}</{tag}>" for j, cell in enumerate(cells))

    head = f"<thead><tr>{row(panel.header, 'th')}</tr></thead>\n" if panel.header else ""
    rows = "".join(f"<tr>{row(cells, 'td')}</tr>\n" for cells in panel.rows)
    table = f"<table>{head}<tbody>\n{rows}</tbody></table>"
    many = len(panel.rows)
    return f"<details><summary>All {many:,}</summary>{table}</details>" if many > OPEN else table
