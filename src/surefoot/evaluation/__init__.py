"""Did it help, on which groups, beyond chance: rewards against preferences, with intervals."""

from surefoot.evaluation.clusters import Clusters, clusters_of
from surefoot.evaluation.pairs.compare import (
    ComparisonResult,
    compare,
    evaluate_over_seeds,
    holm_over_suites,
)
from surefoot.evaluation.pairs.metrics import EvaluationResult, evaluate_rewards
from surefoot.evaluation.pairs.overlap import Overlap, prompt_overlap, training_prompt_keys
from surefoot.evaluation.pairs.rulers import ruler_rewards

__all__ = [
    "Clusters",
    "ComparisonResult",
    "EvaluationResult",
    "Overlap",
    "clusters_of",
    "compare",
    "evaluate_over_seeds",
    "evaluate_rewards",
    "holm_over_suites",
    "prompt_overlap",
    "ruler_rewards",
    "training_prompt_keys",
]
