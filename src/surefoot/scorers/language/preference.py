"""General preference model on a language model: Zhang et al. (2410.02197).

The model is a sequence classifier whose labels are not classes: 2k are the embedding of a response,
read at its last token; k more weigh the planes, read at the last token of the prompt; one more is a
reward. A causal model has read the same there for both responses. So everything that loads, adapts
and saves a classifier does so here, and nothing lies outside its folder.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from surefoot.errors import ConfigurationError
from surefoot.scorers.language import scores
from surefoot.scorers.language.batch import PairBatch
from surefoot.scorers.skew import SkewOptions


def labels_of(options: SkewOptions) -> int:
    """Labels of the classifier: embedding, weights of the planes, reward."""
    k = options.blocks
    return 2 * k + (k if options.prompt_weights else 0) + (1 if options.reward else 0)


@dataclass(frozen=True)
class PreferenceScores(scores.ScoreFunction):
    """Half the margin of a pair and its opposite: there is no score of a response alone."""

    options: SkewOptions
    bidirectional: bool = False  #: the model reads a text in both directions

    kind = "margins"

    def __post_init__(self) -> None:
        """Refuse weights by prompts that have seen the response.

        Raises:
            ConfigurationError: the model reads in both directions and planes weigh by prompt.
        """
        if self.bidirectional and self.options.prompt_weights:
            raise ConfigurationError(
                "prompt_weights is refused: this model reads a text in both directions, so that "
                "what it says at the end of the prompt depends on the response. Take a causal "
                "language model, or prompt_weights: false."
            )

    def of_model(self, model: nn.Module, batch: PairBatch) -> Tensor:
        """Half the margin and its opposite (n, 2)."""
        options, k = self.options, self.options.blocks
        last, everywhere = scores.labels_of_texts(model, batch, self.bidirectional)
        prompts = None
        if options.prompt_weights:
            assert everywhere is not None
            # Both texts share their prompt: the mean over both is what either says, to rounding,
            # and does not depend on their order.
            prompts = batch.at(everywhere[..., 2 * k : 3 * k], batch.prompt_ends).mean(1)
        margins = options.margins(last[:, 0, : 2 * k], last[:, 1, : 2 * k], prompts)
        if options.reward:
            margins = margins + last[:, 0, -1] - last[:, 1, -1]
        return torch.stack([margins, -margins], dim=1) / 2


def score_function(
    kind: str, bidirectional: bool, beta: float, options: SkewOptions | None
) -> scores.ScoreFunction:
    """What a model is trained as: a policy, or a classifier with or without the `options` of pairs.

    Raises:
        ConfigurationError: options of a general preference model for a policy, or for a model that
            they do not go with.
    """
    if kind == "policy":
        if options is not None:
            raise ConfigurationError(
                "general_preference is for a sequence classifier, and the model is a policy: load "
                f"it with AutoModelForSequenceClassification, num_labels={labels_of(options)}."
            )
        return scores.PolicyScores(beta)
    if options is None:
        return scores.RewardScores(bidirectional)
    return PreferenceScores(options, bidirectional)
