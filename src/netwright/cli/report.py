"""The report that `netwright train` leaves: what the rows held out tell of a model."""

from pathlib import Path
from typing import TYPE_CHECKING

import netwright

if TYPE_CHECKING:
    from netwright.export.live import Live
    from netwright.tables.frame import Frame
    from netwright.tabular.model import TableModel

CURVE = "the curve is the mean of the networks; its validation cost is of rows that each did not learn from"
BEGIN = 20  # rows that the live panel can begin with


def write_report(model: "TableModel", path: str, table: str, live: bool) -> None:
    """Write it. live: whether a page has the panel in which one changes a row."""
    from netwright.cli.output import unfamiliar
    from netwright.draw import insight, report
    from netwright.tabular.insight import coverage, data_card, doubts, importances

    frame, classes = model.held_out, model.target.task == "classification"
    assert frame is not None  # `train` has seen to it
    A = model.outputs(frame, notes=[])
    score, found = importances(model, frame)
    held = coverage(model, frame)
    notes = model.notes if isinstance(model.network, netwright.Network) else [*model.notes, CURVE]
    if model.known is not None:
        notes = [*notes, unfamiliar(model.familiarity(frame), "held out")]
    more = [
        insight.importance(score, *zip(*found, strict=True)),
        *([insight.coverage(*held, frame.n_rows, classes)] if held else []),
        insight.mistakes(doubts(model, frame, A), classes),
        insight.data_card(data_card(model, frame)),
    ]
    report.write_report(
        path,
        title=f"{model.target.name} from {Path(table).name}",
        task=model.target.task,
        history=model.history,
        scores=model.scores,
        settings=model.settings,
        truth=frame.column(model.target.name),
        predicted=model.decode(A),
        classes=model.target.classes if classes else None,
        probabilities=model.probabilities(A) if classes else None,
        notes=notes,
        more=more,
        live=_live(model, frame) if live and path.lower().endswith(".html") else None,
    )


def _live(model: "TableModel", frame: "Frame") -> "Live | None":
    """The panel, which begins with one of the first rows; None for a model that cannot be exported."""
    from netwright.export.live import Row, live
    from netwright.tables.column import spelling

    try:
        program = model.program()
    except ValueError:  # an activation of one's own
        return None

    def value(name: str, i: int) -> float | str | None:
        told = spelling(frame.column(name)[i])
        if name in dates and told and "T" not in told:
            told += "T00:00:00"
        return None if not told else float(told) if name in numbers else told

    names, numbers, dates = model.encoder.names(), {*model.encoder.numbers}, {*model.encoder.names("date")}
    rows = [
        Row(frame.place(i), [value(name, i) for name in names], spelling(frame.column(model.target.name)[i]))
        for i in range(min(BEGIN, frame.n_rows))
    ]
    return live(program, rows)
