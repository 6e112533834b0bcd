"""Several trained reward models as one: members on one scale, joined with or without pessimism."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surefoot.arrays import Floats
from surefoot.data import read_preferences
from surefoot.data.schema import ABSENT, Fault, Preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.escaping import warn
from surefoot.scorers import storage
from surefoot.scorers.ensemble_file import EnsembleOptions, member_places
from surefoot.scorers.temperature import fit_temperature
from surefoot.scorers.trained import TrainedScorer

#: Times the median temperature from which a member is taken to have learnt nothing.
_IGNORANT = 10


@dataclass
class RewardEnsemble(TrainedScorer):
    """K members as one reward model: a member's reward is (reward - zero) / scale."""

    scorer: EnsembleOptions
    places: Sequence[str]  #: where each model was loaded from, for messages
    models: Sequence[TrainedScorer]  #: them; those with several heads give several members
    zero_: Floats | float = 0.0  #: (K,) of the members' rewards
    scale_: Floats | float = 1.0  #: (K,) of the members' rewards
    temperature_: float = 1.0

    pairwise = False

    @property
    def members(self) -> int:
        """K, the number of members."""
        return sum(model.members for model in self.models)

    def member_scores(self, preferences: Preferences) -> Floats:
        """Rewards (N, 2, K) by each of the K members, on one scale.

        Raises:
            DataError: a member's reward is not finite; the message names member, row and prompt.
        """
        return np.asarray((self._raw(preferences) - self.zero_) / self.scale_)

    def scores(self, preferences: Preferences) -> Floats:
        """Rewards (N, 2) of both responses, with the pessimism that was asked for."""
        return self.joined(self.member_scores(preferences))

    def joined(self, scores: Floats) -> Floats:
        """Rewards (N, 2) from those of the members (N, 2, K), with that pessimism."""
        return self.scorer.pessimism(scores)

    def refusals(self, preferences: Preferences) -> dict[int, Fault]:
        """Rows that a member cannot read, by their positions, and why."""
        return {k: v for one in self.models for k, v in one.refusals(preferences).items()}

    def notes(self) -> list[str]:
        """Notes of all members."""
        return [note for one in self.models for note in one.notes()]

    def reading_notes(self) -> list[str]:
        """Notes of all members."""
        return [note for one in self.models for note in one.reading_notes()]

    def _raw(self, preferences: Preferences) -> Floats:
        """Rewards (N, 2, K) as the members give them."""
        found = [model.member_scores(preferences) for model in self.models]
        for place, rewards in zip(self.places, found, strict=True):
            if not np.isfinite(rewards).all():
                one = preferences.dataset[int(np.argwhere(~np.isfinite(rewards))[0][0])]
                prompt = " ".join(one["prompt"][-1]["content"].split()) if one["prompt"] else ""
                raise DataError(
                    f"{place} gives a reward that is not finite in {one['file']}, row "
                    f"{one['row']} (prompt {prompt[:60]!r})."
                )
        return np.concatenate(found, axis=-1)

    def _calibrate(self) -> None:
        """Zero, scale and temperature, from the calibration pairs where there are some."""
        heads = [model.members for model in self.models]
        own = np.array([model.temperature_ for model in self.models])
        self._warn_of_the_ignorant(own)
        labelled = None
        if self.scorer.calibration:
            pairs = read_preferences(list(self.scorer.calibration), unlabelled=True)
            self.zero_, self.scale_ = zero_and_scale(self._raw(pairs), pairs.weights)
            has_label = [origin != ABSENT for origin in pairs.strings("label_from")]
            labelled = pairs.select(np.flatnonzero(has_label))  # ties among them
        else:
            self._require_one_scale(heads)
        if labelled is not None and len(labelled):
            scores = self.scores(labelled)
            fitted = fit_temperature(
                scores[:, 0] - scores[:, 1], labelled.labels, labelled.weights, self._flip_rate()
            )
            self.temperature_ = fitted.value
            if fitted.note:
                warn(f"ensemble of {len(self.places)} models: {fitted.note}", stacklevel=2)
        else:
            self.temperature_ = float(np.mean(np.repeat(own, heads) / self.scale_))
            if self.scorer.flip_rate is not None:
                raise ConfigurationError(
                    f"flip_rate ({self.scorer.flip_rate:g}) is of the labels of calibration pairs, "
                    "and there are none: members' own temperatures are taken. Name pairs with "
                    "labels (calibration: [pairs.jsonl]), or leave flip_rate out."
                )

    def _flip_rate(self) -> float:
        """Share of flipped labels among the calibration pairs: as asked, or as all members say."""
        if self.scorer.flip_rate is not None:
            return self.scorer.flip_rate
        rates = [model.known_flip_rate for model in self.models]
        named = {p: rate for p, rate in zip(self.places, rates, strict=True) if rate is not None}
        if len(set(named.values())) > 1:
            listed = ", ".join(f"{place} {rate:g}" for place, rate in named.items())
            raise ConfigurationError(
                f"the members were trained with several flip rates ({listed}), and the calibration "
                "pairs have one. Say which (flip_rate: 0.1)."
            )
        return next(iter(named.values()), 0.0)

    def _warn_of_the_ignorant(self, temperatures: Floats) -> None:
        """A member that learnt nothing has tiny differences, which one scale makes large."""
        fitted = temperatures != 1  # where nothing was held out, or a model is from elsewhere
        usual = float(np.median(temperatures[fitted])) if fitted.any() else 1.0
        for place, one, known in zip(self.places, temperatures, fitted, strict=True):
            if known and one > _IGNORANT * usual:
                warn(
                    f"{place} hardly tells responses apart (temperature {one:.3g}, of the members "
                    f"{usual:.3g} in the median): on one scale its noise counts as much as what "
                    "others know. Leave it out, or train it again.",
                    stacklevel=2,
                )

    def _require_one_scale(self, heads: Sequence[int]) -> None:
        """Rewards have one scale where members are runs of one kind: each is standardised."""
        foreign = [p for p in self.places if not (Path(p) / storage.DESCRIPTION).is_file()]
        kinds = sorted({(one.scorer.kind, n) for one, n in zip(self.models, heads, strict=True)})
        if foreign:
            reason = f"{foreign[0]} was not trained by surefoot, and its rewards have a scale of"
            reason += " their own"
        elif kinds[0][0] == "policy":
            reason = "the rewards that policies imply have a scale of their own each"
        elif len(kinds) > 1:
            listed = " and ".join(f"{kind} with {n} head{'s' * (n > 1)}" for kind, n in kinds)
            reason = f"they are of several kinds ({listed}), whose rewards differ in scale"
        else:
            return
        raise ConfigurationError(
            f"these members cannot be joined as they are: {reason}. Name pairs that set their "
            "scale (calibration: [pairs.jsonl])."
        )


def zero_and_scale(rewards: Floats, weights: Floats | None = None) -> tuple[Floats, Floats]:
    """Zero and scale (K,) of each member, from its rewards (N, 2, K) of N pairs of weights (N,).

    The zero is the mean reward. The scale is the deviation between two responses to one prompt,
    sqrt(mean (r_a - r_b)^2 / 2): what lies between prompts is not identified by preferences.

    Raises:
        DataError: a member gives both responses of every pair the same reward, or no pair has a
            weight.
    """
    if weights is not None and not np.any(weights):
        raise DataError("every calibration pair has weight 0: name pairs that count.")
    scale = np.sqrt(np.average(np.square(rewards[:, 0] - rewards[:, 1]), 0, weights) / 2)
    if not (scale > 0).all():
        raise DataError(
            f"member {int((~(scale > 0)).argmax())} gives both responses of every calibration pair "
            "the same reward: it has no scale. Leave it out, or name other pairs."
        )
    return np.average(rewards.mean(1), 0, weights), scale


def load_ensemble(options: EnsembleOptions, load: Callable[[str], TrainedScorer]) -> RewardEnsemble:
    """Load the members, each from its place, and bring them on one scale.

    Raises:
        ConfigurationError: members that cannot be joined, or fewer than two.
        DataError: calibration pairs that cannot be used.
    """
    places = member_places(options)
    models = [load(place) for place in places]
    for place, model in zip(places, models, strict=True):
        if model.pairwise:
            raise ConfigurationError(
                f"{place} judges pairs ({model.label()}) and has no rewards: an ensemble "
                "joins rewards. Leave it out, or use it by itself."
            )
    if sum(model.members for model in models) < 2:
        raise ConfigurationError(
            f"an ensemble of one member ({places[0]}) is that member: name the run itself, or "
            "train more (surefoot train --seeds 5, or scorer.members of an embedding scorer)."
        )
    if len({Path(place).resolve() for place in places}) < len(places):
        raise ConfigurationError(f"an ensemble names a member twice: {', '.join(places)}.")
    made = RewardEnsemble(options, places, models)
    made._calibrate()
    return made
