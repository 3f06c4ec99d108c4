"""From the suite's JSON to a Markdown table and a picture.

python benchmarks/plot.py benchmarks/results/suite.json [--brief] [--into README.md]
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from peers import OURS, PEERS

MARKS = "<!-- bench -->", "<!-- /bench -->"
Results = dict[str, Any]


def times(result: Results) -> list[float]:
    return [turn["seconds"] for turn in result.get("turns", [])]


def medians(work: Results) -> dict[str, float]:
    """Each peer's seconds: the median of its turns."""
    return {name: median(times(result)) for name, result in work["peers"].items() if times(result)}


def spread(result: Results) -> float:
    """Half the distance of the quartiles of the turns, as a part of their median."""
    values = times(result)
    low, middle, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return (high - low) / 2 / middle


def ours(found: dict[str, Any]) -> str | None:
    """What the peers are compared with: the default, or what there is."""
    return next((name for name in OURS if name in found), None)


def best_peer(found: dict[str, float]) -> str | None:
    others = [name for name in found if name not in (*OURS, "machine")]
    return min(others, key=found.__getitem__, default=None)


def limit(results: Results, work: Results) -> float | None:
    """The machine's seconds: the products alone; a prediction must also read its rows and write its answers."""
    turns = work["peers"].get("machine", {}).get("turns")
    if not turns:
        return None
    products = min(turn["best"] for turn in turns)  # a limit is what was reached, not what is usual
    copied = results["machine"].get("copy_gb_per_second")
    moved = 1e-3 * work["megabytes"] / copied if copied and not work["epochs"] else 0
    return max(products, moved)


def readable(seconds: float) -> str:
    for unit, factor in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= factor or unit == "µs":
            value = seconds / factor
            return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.{1 if value >= 10 else 2}f} {unit}"
    raise AssertionError


def cell(work: Results, name: str) -> str:
    """A time and its spread; what went wrong instead, where something did."""
    result = work["peers"].get(name, {})
    if not times(result):
        return "failed" if "failed" in result else "–"
    wrong = "" if result.get("right", True) else " **wrong**"
    around = f" ±{100 * spread(result):.0f} %" if len(times(result)) > 1 else ""
    return f"{readable(median(times(result)))}{around}{wrong}"


def rows_of(table: list[list[str]]) -> str:
    head, *body = table
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def table(results: Results) -> str:
    """The Markdown: times, then starting and memory, then what they were measured on."""
    timed = {name: work for name, work in results["works"].items() if "flops" in work}
    seen = {name for work in timed.values() for name in medians(work)}
    shown = [name for name in PEERS if name in seen]
    parts = []
    if timed:
        head = ["work", "against the best peer", "share of the limit", *(PEERS[name][0] for name in shown)]
        body = []
        for name, work in timed.items():
            found, bound = medians(work), limit(results, work)
            mine, peer = ours(found), best_peer(found)
            against = f"**{found[peer] / found[mine]:.1f}×** {PEERS[peer][0]}" if mine and peer else "–"
            share = f"{100 * bound / found[mine]:.0f} %" if mine and bound else "–"
            rows = f", {work['rows']:,} row{'s' * (work['rows'] > 1)}"
            body.append([f"`{name}`: {work['what']}{rows}", against, share, *(cell(work, peer) for peer in shown)])
        parts.append(rows_of([head, *body]))
    later = {kind: results["works"][kind]["peers"] for kind in ("start", "memory") if kind in results["works"]}
    if later:
        head = ["starting", "import", "first epoch of `digits`", "whole process", "peak memory"]
        body = []
        for name in PEERS:
            turns = {kind: found.get(name, {}).get("turns", []) for kind, found in later.items()}
            if not any(turns.values()):
                continue
            start = [
                readable(median(turn[key] for turn in turns["start"])) if turns.get("start") else "–"
                for key in ("import", "first_epoch", "process")
            ]
            bytes_ = f"{turns['memory'][0]['peak_bytes'] / 2**20:,.0f} MiB" if turns.get("memory") else "–"
            body.append([PEERS[name][0], *start, bytes_])
        parts.append(rows_of([head, *body]))
    machine = results["machine"]
    told = {name: version for found in results["versions"].values() for name, version in found.items()}
    turns = f"{'up to ' if results['quick'] else ''}{results['rounds']} turns"
    quick = ", quick form with fewer rows" if results["quick"] else ""
    parts.append(
        f"Time of an epoch, or of a prediction: median of {turns} ± half the distance of their quartiles, "
        f"float32{quick}. {machine.get('processor')}, {machine.get('cores')} cores, Python {machine.get('python')}; "
        + ", ".join(f"{name} {version}" for name, version in sorted(told.items()))
        + "."
    )
    return "\n\n".join(parts)


def brief(results: Results) -> str:
    """The Markdown for a README: netwright's times, and how many times as long each peer takes."""
    timed = {name: work for name, work in results["works"].items() if "flops" in work and ours(medians(work))}
    shown = [n for n in PEERS if n not in (*OURS, "machine") and any(n in medians(work) for work in timed.values())]
    body = []
    for name, work in timed.items():
        found = medians(work)
        mine, peer = found[str(ours(found))], best_peer(found)
        ratios = {n: f"{found[n] / mine:.{0 if found[n] > 9.5 * mine else 1}f}×" for n in shown if n in found}
        cells = [f"**{ratios[n]}**" if n == peer else ratios.get(n, "–") for n in shown]
        body.append([f"`{name}`: {work['what']}", readable(mine), *cells])
    return rows_of([["", "netwright", *(PEERS[name][0] for name in shown)], *body])


def put(text: str, path: Path) -> None:
    """Write the table between the marks of a file; ValueError if it has none."""
    page = path.read_text()
    if page.count(MARKS[0]) != 1 or page.count(MARKS[1]) != 1:
        raise ValueError(f"{path} must have one {MARKS[0]} and one {MARKS[1]}")
    before, _, rest = page.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    path.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}")


def draw(results: Results, path: Path) -> None:
    """A panel for each work: how many times our time each peer takes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    timed = {name: work for name, work in results["works"].items() if "flops" in work and ours(medians(work))}
    if not timed:
        return
    columns = min(5, len(timed))
    lines = -(-len(timed) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(3.4 * columns, 2.7 * lines), squeeze=False)
    for axis in axes.flat[len(timed) :]:
        axis.remove()
    for axis, (name, work) in zip(axes.flat, timed.items(), strict=False):
        found = medians(work)
        mine = ours(found)
        shown = [peer for peer in PEERS if peer in found and (peer == mine or peer not in (*OURS, "machine"))]
        ratios = [found[peer] / found[mine] for peer in shown]
        errors = [ratio * spread(work["peers"][peer]) for ratio, peer in zip(ratios, shown, strict=True)]
        colours = ["#c8502d" if peer == mine else "#8fa3b5" for peer in shown]
        bars = axis.barh([PEERS[peer][0] for peer in shown], ratios, xerr=errors, color=colours)
        axis.bar_label(bars, [f" {ratio:.1f}×" for ratio in ratios], fontsize=7)
        axis.set_title(f"{name}: {readable(found[mine])}", fontsize=9)
        axis.set_xlim(0, 1.25 * max(ratios))
        axis.invert_yaxis()
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
        bound = limit(results, work)
        if bound:
            axis.axvline(bound / found[mine], color="#333333", linewidth=1, linestyle=":")
    figure.suptitle("Time, as a multiple of netwright's; dotted: the machine's matrix products alone", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--into", type=Path, help=f"Markdown file with {MARKS[0]} and {MARKS[1]}")
    parser.add_argument("--brief", action="store_true", help="netwright's times, and the peers' as multiples of them")
    options = parser.parse_args()
    results = json.loads(options.results.read_text())
    draw(results, options.results.with_suffix(".svg"))
    text = brief(results) if options.brief else table(results)
    put(text, options.into) if options.into else sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
