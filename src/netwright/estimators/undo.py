"""A fit that does not end well, whatever ends it, leaves an estimator as it was: fitted as before, or not fitted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def whole_or_nothing(estimator: Any, members: Any = (), draws: bool = True) -> Iterator[None]:
    """Inside it an exception, Ctrl-C too, puts every attribute back; lists that have only grown are cut again.

    members: networks that go on learning in place: they, their optimizers and, if training `draws`, their random
    numbers are put back too.
    """
    before = dict(vars(estimator))
    lengths = {name: len(value) for name, value in before.items() if isinstance(value, list)}
    states = [member.snapshot(draws) for member in members]
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        for name, length in lengths.items():
            del before[name][length:]
        for member, state in zip(members, states, strict=True):
            member.restore(state)
        raise
