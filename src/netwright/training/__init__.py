"""Training: epochs that are watched. `train` is the front door."""

from netwright.training.options import TrainingOptions, train

__all__ = ["TrainingOptions", "train"]
