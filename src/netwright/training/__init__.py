"""Training: epochs that are watched. `train` is the front door."""

from netwright.training.options import train

__all__ = ["train"]
