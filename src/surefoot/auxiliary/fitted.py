"""An auxiliary preference model fitted on the data themselves, and cross-fitted."""

from __future__ import annotations

import numpy as np
from pydantic import Field, field_validator

from surefoot.auxiliary.model import Array, AuxiliaryModel, Conditions, Judged
from surefoot.data.references import References
from surefoot.data.schema import Preferences
from surefoot.data.splits import folds
from surefoot.errors import ConfigurationError
from surefoot.objectives import Objective
from surefoot.scorers.embedding import EmbeddingRewardModel, fit_models
from surefoot.scorers.heads.general_preference import GeneralPreference
from surefoot.scorers.scorer import EmbeddingScorer, Scorer
from surefoot.statistics import log_loss, paired_difference

#: Of the auxiliary model's scorer, what the Bradley-Terry model beside it has too.
_KEPT = ("encoder", "views", "folds", "fold_by")


class FittedModel(AuxiliaryModel, kind="fitted"):
    """A scorer on frozen embeddings, trained on the data's own labels by K-fold cross-fitting.

    No pair is judged by a model that saw its label: an auxiliary model that remembers labels would
    cancel them, and with them the correction. Ridge penalty and temperature (the calibration) are
    chosen by folds inside the training folds.
    """

    scorer: Scorer = EmbeddingScorer(head=GeneralPreference(), folds=2)
    """Of the auxiliary model; on frozen embeddings, since it is fitted K times. A model of rewards
    knows nothing that the rewards which are trained could not say themselves."""
    objective: Objective = Objective()
    """What it minimises."""
    folds: int = Field(5, ge=2)
    """Number of models; each judges the fold that it did not see. What stays in one fold is
    `scorer.fold_by`: prompts, or `row` where prompts are few, as in tournaments."""

    @field_validator("scorer")
    @classmethod
    def _on_embeddings(cls, scorer: Scorer) -> Scorer:
        if not isinstance(scorer, EmbeddingScorer):
            raise ConfigurationError(
                f"cross-fitting trains {scorer.label()} once for each fold; use 'embedding' here, "
                "or train a language model on other data and bring its judgment as a column "
                "(auxiliary: column)."
            )
        return scorer

    def judge(
        self, pairs: Preferences, references: References | None, conditions: Conditions
    ) -> Judged:
        """Fit K models and judge every pair by the one that did not see it.

        Reference pairs are judged, for each row, by the model that did not see that row. The
        figures compare log-losses on the labels as given with a Bradley-Terry model (a linear
        reward head) on the same folds.
        """
        assert isinstance(self.scorer, EmbeddingScorer)
        conditions.say(f"auxiliary: {self.folds} models, each judging the fold it did not see")
        fold = folds(pairs, self.folds, by=self.scorer.fold_by, seed=conditions.seed)
        mass = (fold[:, None] != np.arange(self.folds)).astype(float)  # (N, K)

        # Other seeds than the outer folds': the same folds inside would leave one of them empty.
        first = 1000 * (conditions.seed + 1)

        def fit(scorer: EmbeddingScorer, objective: Objective) -> list[EmbeddingRewardModel]:
            made = [EmbeddingRewardModel(scorer, objective, first + k) for k in range(self.folds)]
            fit_models(made, pairs, mass)
            return made

        def out_of_fold(models: list[EmbeddingRewardModel]) -> Array:
            every = np.stack([one.probabilities(pairs) for one in models], axis=1)
            return every[np.arange(len(fold)), fold]

        models = fit(self.scorer, self.objective)
        kept = {name: getattr(self.scorer, name) for name in _KEPT}
        bradley_terry = EmbeddingScorer(**kept)
        probabilities = out_of_fold(models)
        plain = out_of_fold(fit(bradley_terry, Objective()))
        against = paired_difference(
            log_loss(probabilities, pairs.labels),
            log_loss(plain, pairs.labels),
            pairs.prompt_keys(),
        )
        figures = {"log_loss_less_bradley_terry": against.to_dict()}
        notes = (f"log-loss less that of a Bradley-Terry model: {against}",)
        if references is None:
            return Judged(probabilities, None, figures, notes)
        judged = [one.probabilities(references.pairs) for one in models]
        return Judged(probabilities, lambda row: judged[fold[row]], figures, notes)
