"""The files that a command is to write: what is wrong with one is said before any work."""

import os
from pathlib import Path

MODELS = ("model", "table", "network")  # the kinds of file that --model may replace


def check_outputs(outputs: dict[str, str | None], inputs: dict[str, str]) -> None:
    """ValueError or OSError, before any work, for a file that could not be written or would take another's place."""
    from netwright.files.atomic import check_writable

    seen = {os.path.realpath(path): name for name, path in inputs.items()}
    for name, path in outputs.items():
        if path is None:
            continue
        if not path:
            raise ValueError(f"{name} must be the path of a file, got ''")
        if (real := os.path.realpath(path)) in seen:
            raise ValueError(f"{name} {path} is {seen[real]} itself; give it another name")
        seen[real] = f"the file of {name}"
        if name == "--report":
            from netwright.draw.page import check_suffix

            check_suffix(path)
        check_writable(path)
        if name == "--model":
            check_model(path)
        if name == "--checkpoint":
            from netwright.training.checkpoint import check_replaceable

            check_replaceable(path)


def check_model(path: str) -> None:
    """ValueError when a file is there already that is no model."""
    from netwright.files.container import read

    try:
        if not Path(path).exists() or not Path(path).stat().st_size or read(path)[0] in MODELS:
            return
    except ValueError:
        pass
    what = f"{path} is there already and is no model that this netwright can read"
    raise ValueError(f"--model: {what}; move it away or give another name")
