"""An auxiliary preference model fitted on the data themselves, and cross-fitted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import Field, model_validator

from surefoot.arrays import Floats, Ints
from surefoot.data.splits import By, folds
from surefoot.errors import ConfigurationError
from surefoot.judge.model import Answers, AuxiliaryModel, Conditions
from surefoot.objectives import Objective
from surefoot.scorers.heads.general_preference import GeneralPreference
from surefoot.scorers.scorer import EmbeddingScorer, Scorer
from surefoot.training.config import DataOptions, RunConfig
from surefoot.training.options import LanguageTrainingOptions

if TYPE_CHECKING:
    from surefoot.data.references import References
    from surefoot.data.schema import Preferences
    from surefoot.scorers import EmbeddingRewardModel, TrainedScorer

#: Of the auxiliary model's scorer, what the Bradley-Terry model beside it has too.
_KEPT = ("encoder", "views", "folds", "fold_by", "source_aware")
#: Share of a language model's folds that its temperature is fitted on, unless another is given.
_HELD_OUT = 0.1


class FittedModel(AuxiliaryModel, kind="fitted"):
    """A scorer trained on the data's own labels by K-fold cross-fitting.

    No pair is judged by a model that saw its label: an auxiliary model that remembers labels would
    cancel them, and with them the correction. What is chosen beside the weights (a ridge penalty;
    the temperature, which is the calibration) is chosen inside the training folds.
    """

    scorer: Scorer = EmbeddingScorer(head=GeneralPreference(), folds=2)
    """Scorer of the auxiliary model, which is fitted K times: seconds on frozen embeddings, K
    runs of a language model. A model of rewards knows nothing that the rewards which are
    trained could not say themselves."""
    objective: Objective = Objective()
    """Objective that the auxiliary model minimises."""
    training: LanguageTrainingOptions | None = None
    """How a language model is trained; absent: by the defaults of a run."""
    held_out: float | None = Field(None, gt=0, lt=1)
    """Share of its folds that a language model's temperature is fitted on; absent: a tenth."""
    folds: int = Field(5, ge=2)
    """Number of models; each judges the fold that it did not see."""
    fold_by: By | None = None
    """What stays in one fold: prompts, a column, or `row` where prompts are few, as in tournaments;
    absent: as inside the scorer (its `fold_by`), or prompts for a language model."""

    @model_validator(mode="after")
    def _fits_the_scorer(self) -> Self:
        if not isinstance(self.scorer, EmbeddingScorer):
            self._config("pairs.jsonl", "fold")  # whatever a run would refuse is refused here
            return self
        for name in ("training", "held_out"):
            if getattr(self, name) is not None:
                raise ConfigurationError(
                    f"{name} is for language models: {self.scorer.label()} is fitted to "
                    "its optimum, and calibrated by folds (scorer.folds)."
                )
        return self

    def judge(
        self, pairs: Preferences, references: References | None, conditions: Conditions
    ) -> Answers:
        """Fit K models and judge every pair by the one that did not see it.

        Reference pairs that are pairs of the data are judged by the model that did not see their
        label, others by the one that did not see the row that they count for. The figures compare
        log-losses on the labels as given: with a Bradley-Terry model (a linear reward head) on the
        same folds, or for a language model with an even guess.

        Raises:
            ConfigurationError: a language model, and the conditions name no folder to keep it in.
        """
        conditions.say(f"auxiliary: {self.folds} models, each judging the fold it did not see")
        if isinstance(self.scorer, EmbeddingScorer):
            return self._on_embeddings(self.scorer, pairs, references, conditions.seed)
        return self._language_models(pairs, references, conditions)

    def _on_embeddings(
        self, scorer: EmbeddingScorer, pairs: Preferences, references: References | None, seed: int
    ) -> Answers:
        from surefoot.scorers import EmbeddingRewardModel, fit_models

        fold = folds(pairs, self.folds, by=self.fold_by or scorer.fold_by, seed=seed)
        mass = (fold[:, None] != np.arange(self.folds)).astype(float)  # (N, K)

        # Other seeds than the outer folds': the same folds inside would leave one of them empty.
        first = 1000 * (seed + 1)

        def fit(scorer: EmbeddingScorer, objective: Objective) -> list[EmbeddingRewardModel]:
            made = [EmbeddingRewardModel(scorer, objective, first + k) for k in range(self.folds)]
            fit_models(made, pairs, mass)
            return made

        def out_of_fold(models: list[EmbeddingRewardModel]) -> Floats:
            every = np.stack([one.probabilities(pairs) for one in models], axis=1)
            return every[np.arange(len(fold)), fold]

        models = fit(scorer, self.objective)
        bradley_terry = EmbeddingScorer(**{name: getattr(scorer, name) for name in _KEPT})
        probabilities = out_of_fold(models)
        plain = out_of_fold(fit(bradley_terry, Objective()))
        judged = [one.probabilities(references.pairs) for one in models] if references else []
        others = _judges(pairs, references, fold)
        return _judged(pairs, probabilities, judged, fold, others, plain, "bradley_terry")

    def _language_models(
        self, pairs: Preferences, references: References | None, conditions: Conditions
    ) -> Answers:
        from surefoot.nuisance.fitted_language import (
            FOLDS,
            judged_out_of_fold,
            run_of,
            write_fold,
        )

        if conditions.folder is None:
            raise ConfigurationError(
                f"cross-fitting trains {self.scorer.label()} once for each fold, and no folder is "
                "named to keep the runs in."
            )
        fold = folds(pairs, self.folds, by=self.fold_by or "prompt", seed=conditions.seed)
        place = conditions.folder / FOLDS
        place.mkdir(exist_ok=True)

        def trained(k: int) -> TrainedScorer:
            path = place / f"fold-{k}.jsonl"
            write_fold(pairs, fold != k, path)
            conditions.say(f"auxiliary: model {k + 1} of {self.folds}")
            config = self._config(str(path), str(place / f"fold-{k}"))
            return run_of(config, conditions.resume, conditions.say)

        models = [partial(trained, k) for k in range(self.folds)]
        others = _judges(pairs, references, fold)
        probabilities, judged = judged_out_of_fold(models, pairs, references, fold, others)
        even = np.full(len(pairs), 0.5)
        return _judged(pairs, probabilities, judged, fold, others, even, "even_guess")

    def _config(self, path: str, output: str) -> RunConfig:
        """The run of one fold."""
        data = DataOptions(
            train=(path,),
            damaged="keep",  # what is damaged was dealt with before
            no_prompt=True,  # and so were empty prompts
            held_out=self.held_out or _HELD_OUT,
            split_by=self.fold_by or "prompt",
        )
        return RunConfig(
            data=data,
            scorer=self.scorer,
            objective=self.objective,
            training=self.training or LanguageTrainingOptions(),
            output=output,
        )


def _judges(pairs: Preferences, references: References | None, fold: Ints) -> Ints:
    """The fold (P,) of the data's own row with this pair of references; -1 where there is none.

    A pool's pairs are those of the data, too. Its sum cancels the data's term on average only
    where both ask one model of a pair, which is the one that did not see its label.
    """
    if references is None:
        return np.empty(0, dtype=np.int64)
    keys = (np.sort(one.response_keys(), axis=1) for one in (pairs, references.pairs))
    own, theirs = (list(map(tuple, side.tolist())) for side in keys)
    of_pair = dict(zip(own, fold.tolist(), strict=True))
    return np.array([of_pair.get(pair, -1) for pair in theirs], dtype=np.int64)


def _judged(
    pairs: Preferences,
    probabilities: Floats,
    references: list[Floats],
    fold: Ints,
    judge_of: Ints,
    other_model: Floats,
    named: str,
) -> Answers:
    """What was said out of fold, beside what another model says of the same pairs."""
    from surefoot.statistics import log_loss, paired_difference

    against = paired_difference(
        log_loss(probabilities, pairs.labels),
        log_loss(other_model, pairs.labels),
        pairs.prompt_keys(),
    )
    figures = {f"log_loss_less_{named}": against.to_dict()}
    notes = (f"log-loss less that of {_NAMES[named]}: {against}",)

    known = np.flatnonzero(judge_of >= 0)
    fixed = np.full(len(judge_of), np.nan)
    for k, judged in enumerate(references):
        own = known[judge_of[known] == k]
        fixed[own] = judged[own]

    def of_row(row: int) -> Floats:
        return np.where(judge_of >= 0, fixed, references[fold[row]])

    return Answers(probabilities, of_row if references else None, figures, notes)


#: What a fitted model is compared with, by its name in the figures.
_NAMES = {"bradley_terry": "a Bradley-Terry model", "even_guess": "an even guess"}
