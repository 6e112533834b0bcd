"""Forecasts of where a reward pushes a policy, against what best-of-n and RLOO then did.

    SUREFOOT_SUITES=data python -m benchmarks.forecast [--seeds 4] [--work DIR]

The forecast of a feature is the sign of its correlation with the reward among responses to one
prompt, of 16 responses of the policy to each of 120 prompts: the diagnostic `forecast` of `surefoot
audit --model`. What then happened is measured on other prompts: by the mean over all choices of
the best of 16, and by the policy that RLOO trained on the same reward. A feature moved beyond noise
where the 99 % interval of its change, over prompts, leaves 0 out.

Written before the run. Of the features that moved beyond noise, the sign is expected to be right
for
- best of 16, either world: 97 % or more (what it moves is the covariance, but for chance);
- RLOO, sentiment (150 steps, some nats): 85 % to 95 %;
- RLOO, over-optimisation (200 steps, some 10 nats): 75 % to 90 %; misses are words that were
  rewarded at first and then gave way to others that are rewarded more, and length, which RLOO moves
  through the end of a response more than through its words;
and 80 % or more over all features that RLOO moved.

It came out lower: 94 % for best of 16 (32 of 34); 79 % and 60 % for RLOO, 72 % in all; 87 % (48 of
55) of the forecasts that were themselves beyond noise. Most misses were forecasts near 0, of words
that gave way to others once a policy was 4 to 14 nats from where it began. So a second question,
written before its run: RLOO that stops at 2 nats (`stop_kl`), everything else the same. Expected:
- the sign right for 80 % or more of the features that it moved beyond noise, in either world;
- for 95 % or more of those whose forecast is beyond noise as well (2.6 errors).

That came out lower, too: 80 % and 67 %, 75 % in all; 80 % (41 of 51) of the forecasts beyond noise.
The interval over prompts holds one trained policy fixed, and a run has a luck of its own. A third
question, written before its run, asks whether that is the reason: 4 runs from different seeds on
each reward, to 2 nats, where a feature moved if the 95 % interval over runs and prompts leaves 0
out. Expected: fewer features move, and the sign is right for 85 % or more of them. It came out as
85 % (51 of 60; 88 % and 78 %), and 26 of 27 of the forecasts beyond noise: what RLOO does to a
feature whatever the run is mostly foreseen, what one run does to it often is not.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.forecast_worlds import (
    Case,
    SentimentOptions,
    over_optimisation,
    sentiment,
    small,
)
from experiments.common import results
from experiments.common.work import Work
from experiments.overoptimisation.runs import Settings
from surefoot.arrays import Floats
from surefoot.boundary.yaml_texts import yaml_file
from surefoot.evaluation.policies.overoptimisation.curve import best_of_n
from surefoot.statistics import hierarchical
from surefoot.statistics.within import correlation_within

#: Responses to a prompt that a forecast is made from, and of which the best is taken.
CHOICE = 16
#: Responses to a prompt that the outcome is measured on.
MEASURED = 32
#: Errors from 0 at which a forecast is beyond noise.
SURE = 2.6
#: Of intervals over prompts, and of those over runs and prompts.
LEVEL, LEVEL_OF_RUNS = 0.99, 0.95


@dataclass(frozen=True)
class Forecast:
    """Of one feature under one reward, beside what happened."""

    world: str
    seed: int
    way: str  #: best of 16, or how RLOO was run
    feature: str
    expected: float  #: the correlation within prompts
    error: float  #: of it
    moved: float  #: the change that came, in deviations among responses to one prompt
    low: float
    high: float

    @property
    def beyond_noise(self) -> bool:
        """Whether it moved."""
        return self.low > 0 or self.high < 0

    @property
    def right(self) -> bool:
        """Whether the sign was forecast."""
        return self.expected * self.moved > 0


def forecasts(case: Case) -> list[Forecast]:
    """Of every feature that varies among responses to one prompt, before and after."""
    found = []
    for name, measure in case.features.items():
        seen, before = (
            measure(some, texts) for some, texts in zip(case.prompts, case.before, strict=True)
        )
        unit = float(np.sqrt(before.var(axis=1, ddof=1).mean()))
        prompt = np.repeat(np.arange(len(seen)), seen.shape[1])
        expected = correlation_within(case.rewards[0].ravel(), seen.ravel(), prompt)
        if not unit > 0 or not np.isfinite(expected.error):  # it varies at one prompt at most
            continue
        plain = before.mean(1)
        after = {
            f"best of {CHOICE}": [_chosen(case.rewards[1], before)],
            **{
                way: [measure(case.prompts[1], texts).mean(1) for texts in every]
                for way, every in case.after.items()
            },
        }
        for way, values in after.items():
            changes = [(one - plain) / unit for one in values]
            alone = len(changes) == 1
            change = hierarchical(changes, level=LEVEL if alone else LEVEL_OF_RUNS)
            if change.low is None or change.high is None:
                continue
            found.append(
                Forecast(
                    case.world,
                    case.seed,
                    way,
                    name,
                    expected.mean,
                    expected.error,
                    float(change.estimate or 0.0),
                    change.low,
                    change.high,
                )
            )
    return found


def _chosen(rewards: Floats, values: Floats) -> Floats:
    """Mean of a feature (P,) of the best of 16 by reward, over all choices among (P, K)."""
    both = zip(rewards, values, strict=True)
    return np.array([best_of_n(r, f, [CHOICE])[0] for r, f in both])


def summary(found: Sequence[Forecast]) -> list[dict[str, Any]]:
    """By world and way: features, those that moved, and the share whose sign was right."""
    rows = []
    for world, way in dict.fromkeys((one.world, one.way) for one in found):
        some = [one for one in found if (one.world, one.way) == (world, way)]
        moved = [one for one in some if one.beyond_noise]
        sure = [one for one in moved if abs(one.expected) > SURE * one.error]
        rows.append(
            {
                "world": world,
                "way": way,
                "features": len(some),
                "moved": len(moved),
                "right": sum(one.right for one in moved),
                "sure": len(sure),
                "sure_right": sum(one.right for one in sure),
            }
        )
    return rows


def tables(content: dict[str, Any]) -> str:
    """As Markdown: the shares, and the misses of forecasts that were beyond noise."""
    lines = [
        "| World | what was done | features | moved | sign right | of forecasts beyond noise |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in content["summary"]:
        right = one["right"] / one["moved"] if one["moved"] else float("nan")
        sure = f"{one['sure_right']} of {one['sure']}"
        lines.append(
            f"| {one['world']} | {one['way']} | {one['features']} | {one['moved']} | "
            f"{one['right']} ({right:.0%}) | {sure} |"
        )
    every = content["misses"]
    sure = [one for one in every if abs(one["expected"]) > SURE * one["error"]]
    lines += [
        "",
        f"Of {len(every)} misses {len(every) - len(sure)} were forecasts within noise of 0 ",
    ]
    lines[-1] += "(`forecast.json` has them); the others, the largest first:"
    lines.append("")
    lines += ["| World, seed | what was done | feature | forecast | moved |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for one in sure:
        lines.append(
            f"| {one['world']}, {one['seed']} | {one['way']} | {one['feature']} | "
            f"{one['expected']:+.3f} ± {one['error']:.3f} | "
            f"{one['moved']:+.2f} [{one['low']:.2f}, {one['high']:.2f}] |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write `forecast.json` and `forecast.md`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4, help="of the world of over-optimisation")
    parser.add_argument("--sentiment-seeds", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("experiments/runs/forecast"))
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args(arguments)
    work = Work(given.work)
    config = yaml_file(Path("experiments/overoptimisation/config.yaml"), "the experiment")
    settings = small(Settings.model_validate(config), members=2, responses=MEASURED)
    counts = CHOICE, MEASURED
    cases = [
        *(lambda k=k: over_optimisation(settings, k, counts, work) for k in range(given.seeds)),
        *(
            lambda k=k: sentiment(SentimentOptions(), k, counts, work)
            for k in range(given.sentiment_seeds)
        ),
    ]
    found: list[Forecast] = []
    for make in cases:
        case = make()
        found += forecasts(case)
        print(summary(found)[-4:], flush=True)
    misses = [one for one in found if one.beyond_noise and not one.right]
    content = {
        "choice": CHOICE,
        "summary": summary(found),
        "misses": [asdict(one) for one in sorted(misses, key=lambda one: -abs(one.moved))],
        "forecasts": [asdict(one) for one in found],
    }
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "forecast.json").write_text(results.written(content))
    (given.output / "forecast.md").write_text(tables(content))
    print(tables(content))


if __name__ == "__main__":
    main()
