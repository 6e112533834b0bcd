"""Were the data's responses drawn from the reference policy? A two-sample classifier test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.data.schema import Preferences
from surefoot.data.text import to_text
from surefoot.scorers.embeddings.reward_model import EmbeddingRewardModel
from surefoot.scorers.scorer import EmbeddingScorer
from surefoot.statistics import Estimate, mean

#: AUC up to which the two count as alike, and from which they are plainly different.
ALIKE, DIFFERENT = 0.55, 0.7


@dataclass(frozen=True)
class ReferenceCheck:
    """How well a classifier tells the data's responses from reference responses.

    The interval takes the folds' heads as given. They share their training data, so it is a little
    short: on two samples of one law it lay above .5 in 16 of 320 checks (8 were to be expected).
    """

    #: chance that it ranks a data response above a reference response to the same prompt; .5 for
    #: two samples of one distribution. By heads that did not see the prompt
    auc: Estimate
    #: share of data responses that are longer than a reference response; .5 expected
    longer: Estimate

    @property
    def verdict(self) -> str:
        """The meaning of the area under the curve, in a sentence."""
        low, high = self.auc.low, self.auc.high
        if low is None or high is None:
            return f"Nothing can be said: {self.auc.note}"
        if low > DIFFERENT:
            return (
                "The data's responses plainly do not all come from this reference policy under "
                "this law: another model, another temperature or length cap, or several models. "
                "The control variate is biased wherever the auxiliary model is wrong; sample from "
                "what wrote the data, or do without."
            )
        if low > ALIKE:
            return (
                "The data's responses differ from this reference policy's: the control "
                "variate is biased, in proportion to the auxiliary model's error."
            )
        if low > 0.5:
            return (
                "The data's responses may not come from this reference policy; one check in "
                "twenty says so where they do. More prompts would say more."
            )
        if high <= ALIKE:
            return "The data's responses cannot be distinguished from this reference policy's."
        return (
            "No difference from this reference policy's responses was found, but the interval "
            f"reaches {high:.2f}: more prompts would say more."
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "auc": self.auc.to_dict(),
            "longer": self.longer.to_dict(),
            "verdict": self.verdict,
        }


def check_references(preferences: Preferences, encoder: str = "default") -> ReferenceCheck:
    """Test N comparisons with references: each response against one reference to its prompt.

    A linear head on frozen embeddings is trained to rank the data's response first (so that what a
    prompt is about tells it nothing), with folds by prompt.
    """
    pairs = _against_references(preferences)
    model = EmbeddingRewardModel(EmbeddingScorer(encoder={"name": encoder}))
    model.fit(pairs)
    ours, theirs = (
        np.array([len(text) for text in side], dtype=float) for side in pairs.texts("response")
    )
    longer = (np.sign(ours - theirs) + 1) / 2
    return ReferenceCheck(
        model.report_.out_of_fold_accuracy,
        mean(longer, pairs.prompt_keys(), covers="test items"),
    )


def _against_references(preferences: Preferences) -> Preferences:
    """Pairs (a data response, a reference response) to the same prompt; the first is labelled 1."""
    rows = []
    columns = ("prompt", "response_a", "response_b", "references", "conversational")
    for prompt, a, b, references, chat in preferences.read(*columns):
        for own, theirs in zip((a, b), references, strict=False):
            if to_text(own) != to_text(theirs):
                rows.append(
                    {
                        "prompt": prompt,
                        "response_a": own,
                        "response_b": theirs,
                        "label": 1.0,
                        "conversational": chat,
                    }
                )
    return Preferences.from_rows(rows, f"{preferences.name} against its references")
