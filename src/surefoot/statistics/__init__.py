"""Estimates with intervals, paired and clustered tests: arrays in, frozen results out."""

from surefoot.statistics.calibration import (
    Calibration,
    ReliabilityBin,
    brier,
    calibration,
    log_loss,
)
from surefoot.statistics.comparison import Comparison, holm, paired_difference
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.flip_rate import (
    disagreement_of,
    flip_rate_bound,
    flip_rate_of_majority,
    flip_rate_of_votes,
    varying_rates,
)
from surefoot.statistics.groups import WorstGroup, by_group, worst_group
from surefoot.statistics.intervals import mean
from surefoot.statistics.ranges import NOT_NEGATIVE, SHARE, Range
from surefoot.statistics.seeds import hierarchical, hierarchical_difference

__all__ = [
    "NOT_NEGATIVE",
    "SHARE",
    "Calibration",
    "Comparison",
    "Estimate",
    "Range",
    "ReliabilityBin",
    "WorstGroup",
    "brier",
    "by_group",
    "calibration",
    "disagreement_of",
    "flip_rate_bound",
    "flip_rate_of_majority",
    "flip_rate_of_votes",
    "hierarchical",
    "hierarchical_difference",
    "holm",
    "log_loss",
    "mean",
    "paired_difference",
    "varying_rates",
    "worst_group",
]
