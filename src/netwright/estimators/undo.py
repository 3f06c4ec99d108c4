"""A fit that does not end well, whatever ends it, leaves an estimator as it was: fitted as before, or not fitted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def whole_or_nothing(estimator: Any) -> Iterator[None]:
    """Inside it an exception, Ctrl-C too, puts every attribute back; lists that have only grown are cut again."""
    before = dict(vars(estimator))
    lengths = {name: len(value) for name, value in before.items() if isinstance(value, list)}
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        for name, length in lengths.items():
            del before[name][length:]
        raise


@contextmanager
def nothing_half_learned(members: list[Any], draws: bool) -> Iterator[None]:
    """The same for what networks, their optimizers and, if training `draws`, their random numbers learn in place."""
    before = [member.snapshot(draws) for member in members]
    try:
        yield
    except BaseException:
        for member, state in zip(members, before, strict=True):
            member.restore(state)
        raise
