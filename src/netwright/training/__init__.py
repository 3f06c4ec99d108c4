"""Training: epochs that are watched. `train` is the front door, loaded on first use; `options` says what it takes."""

from typing import TYPE_CHECKING, Any

from netwright.training.options import TrainingOptions

if TYPE_CHECKING:
    from netwright.training.prepare import train

__all__ = ["TrainingOptions", "train"]


def __getattr__(name: str) -> Any:
    if name == "train":
        from netwright.training.prepare import train

        return train
    raise AttributeError(f"module 'netwright.training' has no attribute {name!r}")
