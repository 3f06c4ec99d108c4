"""How numbers, settings and the names of scores are written for people."""

from collections.abc import Mapping
from typing import Any

from netwright.core.scores import SCORES, NamedScore
from netwright.draw.diagram import printable

MEANINGS = {  # of measures that are no rows of `SCORES`: (the name as it is written, what it says)
    "balanced_accuracy": ("balanced accuracy", "mean of the classes' recalls"),
    "auc": ("AUC", "chance that a row of the class gets a higher probability than one of another"),
    "f1": ("F1", "balance of precision and recall"),
    "brier": ("Brier score", "mean squared error of the probabilities; 0 is perfect"),
    "log_loss": ("log loss", "mean surprise at the true class; 0 is perfect"),
    "cross_entropy": ("cross entropy", "mean surprise at the true class; 0 is perfect"),
    "cost": ("cost", "mean loss over the rows; lower is better"),
}


def number(value: Any, form: str = "") -> str:
    """Four digits that matter, unless in another form; – for NaN."""
    size = abs(value := float(value))
    form = form or (",.0f" if 1000 <= size < 1e9 else "#.4g" if 1e-4 <= size < 1000 else ".4g")
    text = f"{value:{form}}".rstrip(".").replace("nan", "–").replace("inf", "∞")
    return text.replace("-", "−", 1) if value < 0 else text


def count(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"


def setting(value: Any) -> str:
    """A setting as a person writes it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(setting(v) if name == "name" else f"{words(name)} {setting(v)}" for name, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(setting, value)) or "–"
    return {"None": "–", "True": "yes", "False": "no"}.get(repr(value)) or clean(value)


def meaning(score: str, guess: float | None = None) -> tuple[str, str]:
    """(the score's name as it is written, what it says, and what guessing would score)."""
    name = str(score).lower().replace(" ", "_")
    row = SCORES.get(name)
    title, said = MEANINGS.get(name, (words(score), ""))
    if isinstance(row, NamedScore):
        title, said = row.title, row.meaning
    return title, said if guess is None else f"{said}; guessing has {number(guess)}".removeprefix("; ")


def words(name: Any) -> str:
    return clean(name).replace("_", " ")


def clean(text: Any) -> str:
    """On one line, and nothing that XML or a font would stumble over."""
    return " ".join(printable(text).split())


def short(text: str, most: int = 22) -> str:
    """The beginning and the end, where names differ."""
    return text if len(text) <= most else f"{text[: most - 8]}…{text[-7:]}"
