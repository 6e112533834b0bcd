"""Diagnostics of annotators: who lags, who takes a side, who changes, and how many camps."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from surefoot.auditing import Lacking, diagnostics
from surefoot.auditing.material import Votes
from surefoot.auditing.preference_material import PreferenceMaterial
from surefoot.data import read_preferences
from surefoot.data.writing import write_preferences
from surefoot.worlds.planted import faults
from surefoot.worlds.planted.material import clean, voted

BY_NAME = diagnostics()
OF_ANNOTATORS = ["rogue annotator", "slot preference", "annotator drift", "agreement", "two camps"]


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def measured(name, world):
    (one,) = BY_NAME[name].measure(world)
    return one


def planted(name, size=None, pairs=2000):
    fault = next(one for one in faults().values() if one.diagnostic == name)
    return fault.plant(pairs, rng(), fault.surely if size is None else size)


@pytest.mark.parametrize("name", ["rogue annotator", "slot preference", "annotator drift"])
def test_the_right_annotator_is_named(name):
    one = measured(name, planted(name))
    assert "'annotator 07'" in one.seen
    assert one.test.p_value < 0.00125
    rows = planted(name).votes
    assert one.rows.positions.tolist() == np.unique(rows.pair[rows.annotator == 7]).tolist()


@pytest.mark.parametrize("size", [0.0, 0.25, 0.5])
def test_lack_of_skill_is_what_was_planted(size):
    """Votes turned round with rate r leave 1 - 2 r of the skill, whatever the noise of all."""
    figures = measured("rogue annotator", planted("rogue annotator", size)).details["annotators"]
    mine = figures["annotator 07"]
    assert mine["low"] < 2 * size < mine["high"]
    assert mine["high"] - mine["low"] < 0.35


def test_whoever_is_given_hard_pairs_is_no_rogue():
    """One has only pairs on which all are coins, and the agreement of these is no lower."""
    drawn = rng()
    world = clean("several votes", 2000, drawn)
    world = voted(replace(world, margins_true=np.full(2000, 4.0)), 3, drawn)
    theirs = np.unique(world.votes.pair[world.votes.annotator == 7])
    hard = replace(world, margins_true=np.where(np.isin(np.arange(2000), theirs), 0.8, 4.0))
    votes = world.votes
    value = drawn.random(len(votes.pair)) < 1 / (1 + np.exp(-hard.margins_true[votes.pair]))
    world = replace(world, votes=replace(votes, value=value.astype(float)))
    one = measured("rogue annotator", world)
    own = one.details["annotators"]["annotator 07"]
    assert own["low"] < 0 < own["high"]
    assert one.test.p_value > 0.5


def test_annotators_errors_allow_for_shared_prompts():
    """One is right on all pairs of half of the prompts, and wrong on those of the others."""
    drawn = rng()
    prompts = np.arange(2000) // 100
    world = clean("several votes", 2000, drawn)
    world = voted(world, 3, drawn, lambda pair, who: (who == 7) * (prompts[pair] % 2 == 0) * 1.0)
    alone, shared = (
        measured("rogue annotator", replace(world, prompts=ids)).test.error
        for ids in (np.arange(2000), prompts)
    )
    assert shared > 1.5 * alone


def test_rows_without_weight_are_not_judged():
    world = planted("rogue annotator")
    weights = np.ones(2000)
    weights[np.unique(world.votes.pair[world.votes.annotator == 7])] = 0.0
    figures = measured("rogue annotator", replace(world, weights=weights)).details["annotators"]
    assert "annotator 07" not in figures
    assert len(figures) == 19


@pytest.mark.parametrize("name", ["rogue annotator", "slot preference", "annotator drift"])
def test_who_votes_twice_on_a_pair_is_nobody_elses_witness(name):
    """Everybody repeats each vote: they agree with themselves, which says nothing."""
    world = planted(name)
    votes = world.votes
    twice = Votes(
        *(np.repeat(v, 2) for v in (votes.pair, votes.annotator, votes.value)), votes.names
    )
    one, other = (measured(name, replace(world, votes=v)) for v in (votes, twice))
    assert one.size == other.size


def test_hard_pairs_late_in_a_queue_are_no_drift():
    drawn = rng()
    world = clean("several votes", 2000, drawn)
    world = voted(replace(world, margins_true=np.where(world.time > 0.5, 1.0, 4.0)), 3, drawn)
    assert measured("annotator drift", world).test.p_value > 0.5


def test_without_a_time_the_order_of_rows_is_the_queue():
    world = planted("annotator drift")
    by_time = np.argsort(np.argsort(world.time))  # the place of each row
    votes = replace(world.votes, pair=by_time[world.votes.pair])
    changes = {"votes": votes, "time": np.full(2000, np.nan), "prompts": np.arange(2000)}
    kept = replace(world, prompts=by_time)
    ordered = measured("annotator drift", replace(world, **changes))
    assert ordered.size.estimate == pytest.approx(measured("annotator drift", kept).size.estimate)


def test_a_side_that_all_take_is_no_ones_preference():
    """Where the first response is better, all take it; what others do is the measure."""
    drawn = rng()
    world = clean("several votes", 2000, drawn)
    world = voted(replace(world, margins_true=np.full(2000, 1.5)), 3, drawn)
    one = measured("slot preference", world)
    assert one.test.p_value > 0.5
    assert one.details["all"] == pytest.approx(0.82, abs=0.02)


def test_agreement_is_the_same_whichever_response_is_named_first():
    drawn = rng()
    world = clean("several votes", 500, drawn)
    votes = world.votes
    turned = (world.margins_true < 0)[votes.pair]
    first = replace(votes, value=np.where(turned, 1 - votes.value, votes.value))
    one, other = (measured("agreement", replace(world, votes=v)) for v in (votes, first))
    assert one.size.estimate == pytest.approx(other.size.estimate)
    assert one.size.estimate == pytest.approx(0.81, abs=0.05)  # (1 - 2 e)^2 at e = .05


def test_agreement_is_of_rows_by_their_weight():
    """A row of weight 2 counts as two rows alike."""
    world = clean("several votes", 300, rng())
    weights = np.where(np.arange(300) < 100, 2.0, 1.0)
    votes, again = world.votes, world.votes.pair < 100
    copied = Votes(
        np.concatenate([votes.pair, votes.pair[again] + 300]),
        np.concatenate([votes.annotator, votes.annotator[again]]),
        np.concatenate([votes.value, votes.value[again]]),
        votes.names,
    )
    twice = replace(
        world,
        votes=copied,
        labels=np.concatenate([world.labels, world.labels[:100]]),
        prompts=np.concatenate([world.prompts, world.prompts[:100]]),
        weights=np.ones(400),
    )
    one, other = (measured("agreement", w) for w in (replace(world, weights=weights), twice))
    assert one.size.estimate == pytest.approx(other.size.estimate, abs=1e-4)
    assert one.size.low == pytest.approx(other.size.low, abs=2e-3)
    assert one.details["disagreement"] == pytest.approx(other.details["disagreement"])


def test_ceilings_are_what_the_truth_reaches():
    drawn = rng()
    world = clean("several votes", 20_000, drawn)
    world = voted(replace(world, margins_true=1.4 * np.sign(world.margins_true)), 3, drawn)
    right = world.margins_true > 0
    details = measured("agreement", world).details
    single = np.mean(world.votes.value == right[world.votes.pair])
    majority = np.mean((world.labels > 0.5) == right)
    assert details["ceiling of single votes"] == pytest.approx(single, abs=0.01)
    assert details["ceiling of majorities"] == pytest.approx(majority, abs=0.01)


def test_camps_name_who_is_of_which():
    one = measured("two camps", planted("two camps"))
    smaller = {f"annotator {i:02d}" for i in range(30)}
    assert len(smaller.symmetric_difference(one.details["smaller"])) < 10
    assert one.test.p_value < 0.00125


def test_annotators_who_are_careless_are_no_camp():
    drawn = rng()
    world = clean("unbalanced groups", 2000, drawn)
    skill = np.where(np.arange(100) < 30, 0.0, 1.5)
    world = voted(
        world,
        3,
        drawn,
        wanted=lambda pair, who: skill[who] * world.margins_true[pair],
        annotators=100,
    )
    assert measured("two camps", world).test.p_value > 0.05


def odd(world, kind):
    """Votes as data may have them."""
    votes = world.votes
    if kind == "none":
        empty = np.empty(0, dtype=np.int64)
        return replace(world, votes=Votes(empty, empty, np.empty(0)))
    if kind == "nobody named":
        return replace(
            world, votes=replace(votes, annotator=np.full(len(votes.pair), -1), names=())
        )
    if kind == "one annotator":
        return replace(world, votes=replace(votes, annotator=np.zeros(len(votes.pair), int)))
    if kind == "ties":
        return replace(world, votes=replace(votes, value=np.full(len(votes.pair), 0.5)))
    if kind == "decided once":
        third = np.tile([1.0, 0.5, 0.5], len(votes.pair) // 3)
        return replace(world, votes=replace(votes, value=third))
    if kind == "all agree":
        return replace(world, votes=replace(votes, value=np.ones(len(votes.pair))))
    if kind == "coins":
        drawn = rng().integers(0, 2, len(votes.pair)).astype(float)
        return replace(world, votes=replace(votes, value=drawn))
    if kind == "one prompt":
        return replace(world, prompts=np.zeros(len(world.labels), dtype=np.int64))
    if kind == "no weight":
        return replace(world, weights=np.zeros(len(world.labels)))
    return replace(
        world, contrasts={"length": np.zeros(len(world.labels))}, vectors=0 * world.vectors
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", OF_ANNOTATORS)
@pytest.mark.parametrize(
    "kind",
    [
        *(
            "none",
            "nobody named",
            "one annotator",
            "ties",
            "decided once",
            "all agree",
            "coins",
            "one prompt",
        ),
        *("no weight", "equal responses"),
    ],
)
def test_odd_votes_find_nothing_and_break_nothing(name, kind):
    one = measured(name, odd(clean("several votes", 300, rng()), kind))
    if isinstance(one, Lacking):
        assert one.reason.startswith(f"{name}: ")
    elif one.test is not None:
        assert one.test.p_value > 0.01


def test_pictures_show_who_is_out_of_the_band():
    one = measured("rogue annotator", planted("rogue annotator"))
    assert one.picture.names[0] == one.picture.picked[0] == "annotator 07"
    assert one.picture.series["annotator"][0].low > one.picture.band[1] == 0.3
    assert len(one.picture.names) == 20


def test_the_reliability_of_votes_that_disagree_is_none():
    drawn = rng()
    world = clean("several votes", 300, drawn)
    world = replace(world, votes=replace(world.votes, value=np.tile([1.0, 0.0, 0.5], 300)))
    one = measured("agreement", world)
    assert one.size.estimate < 0
    assert "no number of votes" in one.seen
    assert one.picture.series["reliability"][5].high == 0


def test_votes_for_the_chosen_response_have_no_slot(tmp_path):
    """One row a vote: the first annotator's choice is named first, which is nobody's preference."""
    drawn, rows = np.random.default_rng(0), []
    for i in range(250):
        for name in ("ann", "bob", "cyd"):
            good, bad = f"good {i}", f"bad {i}"
            chosen, rejected = (bad, good) if drawn.random() < 0.3 else (good, bad)
            rows.append({"prompt": f"{i}?", "chosen": chosen, "rejected": rejected} | {"who": name})
    path = tmp_path / "votes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = read_preferences(path, columns={"annotator": "who"})
    written = tmp_path / "again.jsonl"
    write_preferences(read, written)
    for preferences in (read, read_preferences(written)):
        material = PreferenceMaterial(preferences)
        assert len(material.votes.pair) == 750
        assert not material.placed.any()
        for name in ("slot preference", "sides", "lapses"):
            (one,) = diagnostics()[name].measure(material)
            assert isinstance(one, Lacking)


def queues(careless, seed=0):
    """Two topics with tastes of their own, each judged by half of the people; some are coins."""
    drawn = rng(seed)
    world = clean("unbalanced groups", 1000, drawn)
    apart = world.vectors[:, 0] - world.vectors[:, 1]
    topic = np.arange(1000) % 2
    signs = np.where(np.arange(apart.shape[1]) % 2, -1.0, 1.0)
    margins = np.where(topic == 0, apart.sum(1), apart @ signs) / 2
    coin = drawn.random(60) < careless
    who = 2 * np.argsort(drawn.random((1000, 30)), axis=1)[:, :3] + topic[:, None]
    right = drawn.random((1000, 3)) < np.where(coin[who], 0.5, expit(margins)[:, None])
    pair = np.repeat(np.arange(1000), 3)
    names = tuple(f"annotator {i:02d}" for i in range(60))
    votes = Votes(pair, who.ravel(), right.ravel().astype(float), names)
    return replace(world, margins_true=margins, labels=right.mean(1), votes=votes)


@pytest.mark.parametrize("careless", [0.0, 0.25])
def test_queues_by_topic_are_no_camps(careless):
    assert measured("two camps", queues(careless)).test.value < 0.02


def test_pairs_with_one_vote_say_nothing_of_camps():
    world = queues(0.0)
    votes = world.votes
    first = np.arange(0, 3000, 3)
    alone = Votes(votes.pair[first], votes.annotator[first] % 10, votes.value[first], votes.names)
    assert "kinds of prompts" in measured("two camps", replace(world, votes=alone)).reason


def test_a_persons_repeats_are_one_vote():
    """In any row with the same two responses; of nobody, every vote counts."""
    responses = np.array([[0, 1], [1, 0], [2, 3]])
    pair, who = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 0, 0, 0, -1, -1])
    kept = Votes(pair, who, np.array([1.0, 1, 1, 0, 0, 1]), ("a",)).once(responses)
    assert kept.pair.tolist() == [0, 2, 2, 2]
    assert kept.repeats == 2
    assert "2 votes by people who had voted" in kept.in_words


@pytest.mark.parametrize("name", ["agreement", "flipped votes"])
def test_repeats_are_no_agreement(name):
    """Everybody says the same thing twice."""
    world = voted(clean("several votes", 500, rng()), 3, rng())
    votes = world.votes
    twice = Votes(
        np.repeat(votes.pair, 2),
        np.repeat(votes.annotator, 2),
        np.repeat(votes.value, 2),
        votes.names,
    )
    one, other = (measured(name, replace(world, votes=given)) for given in (votes, twice))
    assert one.size == other.size
    assert f"{len(votes.pair):,} votes by people" in other.seen
