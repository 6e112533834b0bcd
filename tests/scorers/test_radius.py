"""The size of a ball by leaving groups out: the rule by hand, no peeking, known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from encoders import WORDS

from surefoot.data import Preferences
from surefoot.errors import ConfigurationError
from surefoot.objectives import Objective
from surefoot.scorers import EmbeddingScorer, Encoder, EncoderOptions
from surefoot.scorers.fit import radius as module
from surefoot.scorers.fit.radius import choose_radius
from surefoot.scorers.fit.task import Task
from surefoot.scorers.heads.linear import Linear

#: Groups in which a second word goes with the better response, and with the worse one.
USUAL, RARE = 5, 3


def _world(seed=0, against=0.9, each=40, few=14) -> Preferences:
    """Truth is one word, seen through noise; another word helps in most groups and misleads in few.

    Args:
        seed: of the draws.
        against: how often the second word goes with the worse response in the rare groups.
        each: pairs in a usual group.
        few: pairs in a rare group.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for group in range(USUAL + RARE):
        rare = group >= USUAL
        for i in range(few if rare else each):
            first = bool(rng.integers(2))
            shown = first == (rng.random() < 0.8)
            helps = first == (rng.random() < (1 - against if rare else 0.9))

            def text(good, extra):
                words = [*rng.choice(WORDS, 3), "good" if good else "bad", "yes" if extra else "no"]
                return " ".join(words)

            rows.append(
                {
                    "prompt": f"question {group} {i}",
                    "response_a": text(shown, helps),
                    "response_b": text(not shown, not helps),
                    "label": float(first),
                    "group": f"g{group}",
                }
            )
    return Preferences.from_rows(rows, "world")


@pytest.fixture(scope="module")
def encoder(small_encoder):
    return Encoder(EncoderOptions(name=small_encoder))


def _task(encoder, pairs, **risk) -> Task:
    scorer = EmbeddingScorer(encoder={"name": encoder.options.name}, folds=3)
    return Task.of(scorer, Objective(risk={"kind": "chi-squared", "unit": "group"} | risk), pairs)


def _by_hand(losses, cost=0.01):
    """The rule on given losses (R, 12) of three groups, each of which stands for four pairs."""
    groups = np.repeat([0, 1, 2], 16)
    sizes = (0.0, 0.1, 0.2)[: len(losses)]
    losses = np.repeat(np.array(losses, dtype=float), 4, axis=1)
    return module._choice(
        "radius", sizes, losses, np.ones(48), groups, ["a", "b", "c"], "group", cost
    )


def test_the_best_of_the_worst_groups_is_taken():
    plain = [0.5] * 4 + [0.6] * 4 + [0.9, 0.91, 0.92, 0.93]
    better = [0.5] * 4 + [0.6] * 4 + [0.70, 0.711, 0.722, 0.729]
    found = _by_hand([plain, better])
    assert found.size == 0.1
    assert found.tried[0].group == "c"
    assert found.tried[0].worst == pytest.approx(0.915)
    assert "instead of 0.915" in str(found)


def test_but_not_at_any_cost():
    plain = [0.5] * 4 + [0.6] * 4 + [0.9, 0.91, 0.92, 0.93]
    dear = [0.7] * 4 + [0.7] * 4 + [0.70, 0.711, 0.722, 0.729]
    assert _by_hand([plain, dear]).size == 0.0
    assert not _by_hand([plain, dear]).tried[1].allowed
    assert _by_hand([plain, dear], cost=0.1).size == 0.1


def test_within_one_standard_error_the_least_robust_is_taken():
    plain = [0.5] * 8 + [0.9, 0.9, 0.9, 0.9]
    middle = [0.5] * 8 + [0.70, 0.71, 0.72, 0.73]
    noisily_better = [0.5] * 8 + [0.60, 0.80, 0.55, 0.85]  # by .015, with an error of some .03
    assert _by_hand([plain, middle, noisily_better]).size == 0.1
    surely_better = [0.5] * 8 + [0.68, 0.69, 0.70, 0.711]
    assert _by_hand([plain, middle, surely_better]).size == 0.2


@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_small_group_counts_too(count):
    """Groups of 20, 20 and few pairs, of which the last fares far better at the second size."""
    groups = np.repeat([0, 1, 2], [20, 20, count])
    noise = np.random.default_rng(0).normal(0, 0.05, len(groups))
    plain, robust = np.where(groups == 2, 3.0, 0.5) + noise, np.where(groups == 2, 0.6, 0.5)
    losses = np.stack([plain, robust])
    ones = np.ones(len(groups))
    found = module._choice("radius", (0.0, 0.1), losses, ones, groups, ["a", "b", "c"], "group", 1)
    assert found.size == 0.1


def test_a_group_without_weight_has_no_say():
    groups = np.repeat([0, 1, 2], 5)
    losses = np.stack([np.where(groups == 1, 0.9, 0.5), np.where(groups == 1, 0.6, 0.5)])
    losses[:, groups == 2] = 5.0
    weights = np.where(groups == 2, 0.0, 1.0)
    found = module._choice("radius", (0.0, 0.1), losses, weights, groups, list("abc"), "group", 1)
    assert found.size == 0.1
    assert found.tried[0].group == "b"
    assert found.tried[0].mean == pytest.approx(0.7)


def test_no_head_has_seen_the_group_that_it_judges(encoder, monkeypatch):
    pairs = _world(each=8, few=6)
    groups = np.unique(pairs.strings("group"), return_inverse=True)[1]
    seen = []
    fit = Linear.fit

    def watched(self, problem, certify=True):
        seen.append(problem.mass.numpy())
        return fit(self, problem, certify=certify)

    monkeypatch.setattr(Linear, "fit", watched)
    choose_radius(_task(encoder, pairs), encoder)
    inner, sized = seen[: USUAL + RARE], seen[USUAL + RARE :]
    for group, mass in enumerate(inner):  # the folds for the penalty
        assert (mass[groups == group] == 0).all()
    assert sized
    for mass in sized:
        assert mass.shape == (len(pairs), USUAL + RARE)
        assert (mass[np.arange(len(pairs)), groups] == 0).all()
        assert (mass > 0).sum() == len(pairs) * (USUAL + RARE - 1)


def test_robust_where_rare_groups_are_misled(encoder):
    found = choose_radius(_task(encoder, _world()), encoder, cost=0.1)
    assert found.size > 0
    chosen = next(one for one in found.tried if one.size == found.size)
    assert chosen.worst < found.tried[0].worst - 0.05
    assert found.tried[0].group in {f"g{k}" for k in range(USUAL, USUAL + RARE)}


def test_not_robust_where_groups_are_alike(encoder):
    found = choose_radius(_task(encoder, _world(against=0.1, few=40)), encoder, cost=0.005)
    assert found.size == 0
    assert "no robustness" in str(found)


def test_what_cannot_be_chosen(encoder):
    pairs = _world(each=6, few=6)
    two = pairs.select([i for i, g in enumerate(pairs.strings("group")) if g in ("g0", "g1")])
    with pytest.raises(ConfigurationError, match="there are 2: 3 are needed"):
        choose_radius(_task(encoder, two), encoder)
    for risk in ({"regret": True, "unit": "group"}, {"trim": 0.1}):
        with pytest.raises(ConfigurationError, match="judges sizes by plain held-out losses"):
            choose_radius(
                _task(encoder, pairs.with_columns(auxiliary=[0.5] * len(pairs)), **risk), encoder
            )
    bare = pairs.with_columns(group=[None] * len(pairs))
    with pytest.raises(ConfigurationError, match="neither 'group' nor 'source'"):
        choose_radius(_task(encoder, bare, unit="pair"), encoder)


def test_a_size_to_be_chosen_is_no_number():
    for risk in ({"kind": "kl", "radius": "auto"}, {"kind": "cvar", "level": "auto"}):
        objective = Objective(risk=risk)
        with pytest.raises(ConfigurationError, match="'auto' is for `surefoot train`"):
            objective.risk(torch.ones(3))
    with pytest.raises(ConfigurationError, match="atuo"):
        Objective(risk={"kind": "kl", "radius": "atuo"})


def test_many_groups_are_left_out_together():
    groups = np.repeat(np.arange(45), np.arange(1, 46))
    fold = module._folds(groups, 45)
    assert len(set(fold.tolist())) == 10
    for one in range(45):
        assert len(set(fold[groups == one].tolist())) == 1
