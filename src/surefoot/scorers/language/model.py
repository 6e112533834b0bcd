"""A trained language model as a scorer: rewards and probabilities of pairs, saved and loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from surefoot.arrays import Floats
from surefoot.data.rendering.notes import Cuts
from surefoot.data.rendering.token_pairs import TokenPairs, refusals, tokenise
from surefoot.data.schema import Fault, Preferences
from surefoot.errors import ConfigurationError
from surefoot.objectives import LabelModel
from surefoot.options import Options
from surefoot.scorers import storage
from surefoot.scorers.embeddings.encoder import file_stamps
from surefoot.scorers.language.adapters import below_adapter, read_adapter, weights_in
from surefoot.scorers.language.architecture import text_config
from surefoot.scorers.language.forward import Engine, over_rows
from surefoot.scorers.language.loading import Prepared, load_model, load_tokenizer, prepare_model
from surefoot.scorers.language.options import (
    GeneralPreferenceScorer,
    LanguageModelScorer,
    PolicyScorer,
)
from surefoot.scorers.language.precision import name_of, noise_of
from surefoot.scorers.language.preference import PreferenceScores
from surefoot.scorers.language.reference import HELD, ReferencePolicy, base_key
from surefoot.scorers.language.scores import PolicyScores, RewardScores, ScoreFunction
from surefoot.scorers.language.sharing import suited
from surefoot.scorers.scorer import Scorer
from surefoot.scorers.trained import TrainedScorer


@dataclass
class LanguageModel(TrainedScorer):
    """A reward model, a policy as the reward model that it implies, or a model of pairs."""

    scorer: LanguageModelScorer  #: what it is and how texts are cut
    prepared: Prepared  #: the model and its tokenizer
    #: hash of the weights that a policy is scored against, or that the adapter of a reward model
    #: lies on; None for whole reward models
    reference_key: str | None = None
    mean_: float = 0.0  #: of the raw scores on the training data, so that rewards have mean 0
    std_: float = 1.0  #: their deviation there, so that rewards have deviation 1
    temperature_: float = 1.0
    known_flip_rate: float | None = None
    cuts: Cuts | None = None
    foreign: bool = False  #: surefoot did not train it

    def raw_scores(self, preferences: Preferences) -> Floats:
        """Rewards as the model gives them, or beta log(pi / pi_ref), shape (N, 2)."""
        tokens = self.tokens_of(preferences)
        tokens.require(preferences)
        self.cuts = tokens.cuts
        known = None if self.reference is None else self.reference.log_probs(tokens)
        return self.scores_of(tokens, known)

    def tokens_of(self, preferences: Preferences) -> TokenPairs:
        """Comparisons as the model reads them."""
        found = self.prepared
        return tokenise(preferences, found.tokenizer, self.max_length, keep_end=found.encoder)

    def refusals(self, preferences: Preferences) -> dict[int, Fault]:
        """Rows that the chat template cannot write, by their positions, and why."""
        return refusals(self.tokens_of(preferences), preferences)

    def scores_of(self, tokens: TokenPairs, reference: torch.Tensor | None) -> Floats:
        """Raw scores (N, 2), given the reference's log-probabilities (N, 2) for a policy."""
        function, model, rows = self.score_function, self.prepared.model, np.arange(len(tokens))
        engine, _ = suited(self.engine, model, function.of_model, tokens)
        scores = over_rows(function.of_model, model, tokens, rows, engine, "scoring")
        if reference is not None and isinstance(function, PolicyScores):
            lengths = torch.from_numpy(tokens.response_lengths)
            found = function.of_log_probs(torch.from_numpy(scores), reference.double(), lengths)
            scores = found.numpy()
        return scores

    def scores(self, preferences: Preferences) -> Floats:
        """Scores (N, 2): the raw ones with mean 0 and deviation 1 on the training data."""
        return (self.raw_scores(preferences) - self.mean_) / self.std_

    @property
    def pairwise(self) -> bool:
        """Whether it is a model of pairs."""
        return self.scorer.pairwise

    def notes(self) -> list[str]:
        """Sentences on what was cut when scores were last asked for."""
        return [] if self.cuts is None else self.cuts.notes(self.max_length, left_out=False)

    @property
    def max_length(self) -> int:
        """Tokens of prompt and response together: no more than the model reads."""
        return min(self.scorer.max_length, self.prepared.positions)

    @cached_property
    def reference(self) -> ReferencePolicy | None:
        """What a policy is scored against, loaded when it is first needed; None for reward models.

        Raises:
            ConfigurationError: it is no longer what the policy was trained against.
        """
        scorer = self.scorer
        if not isinstance(scorer, PolicyScorer):
            return None
        found = self.policy_at(None if scorer.adapter else scorer.place)
        if found.key != self.reference_key:
            raise ConfigurationError(
                f"{scorer.place} is not the reference that the policy was trained against (other "
                "weights): its rewards would be wrong."
            )
        return found

    @property
    def score_function(self) -> ScoreFunction:
        """The function that makes batches scores."""
        if isinstance(self.scorer, PolicyScorer):
            engine = self.engine
            noise = noise_of(self.prepared.model, engine.precision, engine.device)
            return PolicyScores(self.scorer.beta, noise.usual)
        if isinstance(self.scorer, GeneralPreferenceScorer):
            return PreferenceScores(self.scorer, self.prepared.encoder)
        return RewardScores(self.prepared.encoder)

    @cached_property
    def engine(self) -> Engine:
        """The engine of forward passes: on an accelerator, where there is one."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.prepared.model.to(device)
        return Engine(device, self.prepared.pad_id, precision=self.scorer.autocast_dtype)

    def description(self, objective: Options, seed: int) -> dict[str, Any]:
        """What `surefoot.json` says beside the model's own files."""
        rewards, key = {"mean": self.mean_, "std": self.std_}, self.reference_key
        own: dict[str, Any] = {"rewards": rewards, "reference_key": key}
        settled = self.scorer.settled
        return storage.description_of(settled, objective, seed, self.temperature_, **own)

    @classmethod
    def load(
        cls, folder: str | Path, reference: str | None = None, precision: str | None = None
    ) -> Self:
        """Read a run folder.

        Args:
            folder: of the run.
            reference: where a policy's reference lies now; by default where the run had it.
            precision: of the passes (`scorer.precision`); None: as the run had it.

        Raises:
            ConfigurationError: the folder holds no such model, the reference has changed, or there
                is no such precision.
        """
        place = Path(folder)
        description = storage.read_description(place)
        with storage.explained(place / storage.DESCRIPTION):
            scorer = Scorer.parse(description["scorer"])
        if not isinstance(scorer, LanguageModelScorer):
            raise ConfigurationError(f"{folder} holds a {scorer.label()}, no language model.")
        if reference is not None:
            scorer = scorer.model_copy(update={"model": reference})
        kind, options = scorer.model_kind, scorer.load_options
        with storage.explained(place):
            tokenizer = load_tokenizer(str(place))
            if scorer.adapter is None:
                model: Any = load_model(str(place), kind, beside=(), **options)
            else:
                with _trained_from(folder, scorer):
                    base = load_model(scorer.place, kind, beside=weights_in(place), **options)
                if kind == "reward-model":
                    text_config(base).pad_token_id = tokenizer.pad_token_id
                model = read_adapter(below_adapter(base), place)
            prepared = prepare_model(model, tokenizer, labels=options.get("num_labels", 1))
        labels, rewards = description["objective"].get("labels"), description["rewards"]
        loaded = cls(
            scorer,
            prepared,
            reference_key=description["reference_key"],
            mean_=rewards["mean"],
            std_=rewards["std"],
            temperature_=description["temperature"],
            # Without a label model there is no flip rate.
            known_flip_rate=0.0 if labels is None else LabelModel.parse(labels).known_flip_rate,
        )
        with _trained_from(folder, scorer):
            _ = loaded.reference  # a wrong one is an error now, not in the middle of an evaluation
            known = loaded.reference_key
            # Older runs did not note that of a reward model.
            if kind == "reward-model" and known is not None and base_key(model) != known:
                raise ConfigurationError(
                    f"{scorer.place} is not the model that the adapter was trained on (other "
                    "weights): its rewards would be wrong."
                )
        return loaded if precision is None else loaded.in_precision(precision)

    def in_precision(self, precision: str) -> Self:
        """A copy, with its reference, whose passes are in another precision.

        Frozen weights keep the values beside which an adapter was trained.

        Raises:
            ConfigurationError: there is no such precision, or weights in 4 bits have their own.
        """
        asked = self.scorer.in_precision(precision)
        if asked.autocast_dtype == self.scorer.autocast_dtype:
            return replace(self, scorer=asked)
        if self.scorer.adapter is not None and self.scorer.adapter.quantised:
            raise ConfigurationError(
                f"precision {precision!r} is refused: weights in 4 bits are multiplied in "
                f"{self.scorer.settled.precision}, as they were in training."
            )
        known, changed = self.reference, replace(self, scorer=asked)
        whole = asked.autocast_dtype is None
        if whole:
            self.prepared.model.float()
        if known is not None:
            model: Any = known.model.float() if whole else known.model
            above = not known.without_adapter
            changed.reference = ReferencePolicy.of(model, changed.engine, False, with_adapter=above)
        return changed

    def reading_notes(self) -> list[str]:
        """What the weights and the passes of a model of another origin are in."""
        if not self.foreign:
            return []
        passes = self.scorer.autocast_dtype
        chosen = " (chosen for this processor)" if self.scorer.precision == "auto" else ""
        digits = "" if passes is None else ", three digits; --precision float32 has seven"
        precision = f"weights in float32, passes in {name_of(passes)}{chosen}{digits}."
        return [f"{self.scorer.model}: {precision}"]

    def policy_at(self, place: str | None) -> ReferencePolicy:
        """A reference from a folder or a hub name, or (None) from under the adapter.

        Scorers that are loaded beside each other, such as the seeds of a run, share theirs.
        """
        options, engine = self.scorer.load_options, self.engine
        if place is None:
            return ReferencePolicy.of(self.prepared.model, engine, live=False)
        name = (place, file_stamps(place), str(options), engine.precision, engine.pad_id)
        found = HELD.get(name)
        if found is None:
            model: Any = load_model(place, "policy", **options)
            found = HELD[name] = ReferencePolicy.of(model.to(engine.device), engine, live=False)
        return found


@contextmanager
def _trained_from(folder: str | Path, scorer: LanguageModelScorer) -> Iterator[None]:
    """Say what the model was to the run where it cannot be used, and how to name another place."""
    policy = isinstance(scorer, PolicyScorer)
    what, how = ("reference", "--reference") if policy else ("base", "surefoot.json (scorer.model)")
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(
            f"the {what} of {folder}, which it was trained from: {error} Where it lies elsewhere "
            f"now, name the place: {how}."
        ) from None
