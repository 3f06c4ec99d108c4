"""Engines: how an epoch is executed. Each gives the plain engine's numbers, by other means."""

from netwright.engines.cache import cache_directory, warmed_up
from netwright.engines.choose import ENGINES, Job, predictor, warm_up
from netwright.engines.engine import Engine, Steps
from netwright.engines.plain import Plain

__all__ = ["ENGINES", "Engine", "Job", "Plain", "Steps", "cache_directory", "predictor", "warm_up", "warmed_up"]
