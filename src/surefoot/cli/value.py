"""What `surefoot evaluate` says of policies: their value on logged pairs, and win rates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from surefoot.cli.console import (
    Content,
    confirmed,
    figure,
    invocation,
    out,
    quiet_libraries,
    refuse_lost,
    say,
    table,
    write,
)
from surefoot.cli.inputs import run_folders
from surefoot.cli.request import Request
from surefoot.errors import ConfigurationError, DataError
from surefoot.escaping import excerpt

if TYPE_CHECKING:
    from surefoot.data import Preferences
    from surefoot.evaluation.policy_value import PolicyValue
    from surefoot.evaluation.samples import Samples
    from surefoot.evaluation.win_rate import Judged, WinRate
    from surefoot.runs import RunFolder
    from surefoot.scorers import TrainedScorer


class Valuer:
    """Estimates the value of one policy on any data."""

    def __init__(self, request: Request, models: Sequence[TrainedScorer]) -> None:
        from surefoot.evaluation.policy_value import RatioOptions
        from surefoot.evaluation.samples import read_samples
        from surefoot.scorers import load_scorer
        from surefoot.training.folder import saved_prompts

        if len(models) > 1:
            raise ConfigurationError(
                f"--value takes one policy; this folder holds {len(models)} seeds: name one."
            )
        assert request.auxiliary is not None
        self.policy = models[0]
        self.options = RatioOptions(clip=request.clip, self_normalise=request.self_normalise)
        self.samples = read_samples(request.samples[0])
        (folder,) = _one_run(request.auxiliary)
        self.auxiliary = load_scorer(folder)
        self.seen = saved_prompts(folder)

    def __call__(self, preferences: Preferences) -> PolicyValue:
        """The value of the policy on these comparisons."""
        from surefoot.evaluation import prompt_overlap
        from surefoot.evaluation.policy_value import policy_value
        from surefoot.evaluation.samples import log_ratios, sampled_auxiliary

        ratios = log_ratios(self.policy, preferences)
        self._warn(preferences, prompt_overlap(self.seen, preferences).rows if self.seen else 0)
        return policy_value(
            preferences.labels,
            self.auxiliary.probabilities(preferences),
            sampled_auxiliary(self.auxiliary, preferences, self.samples),
            ratios,
            preferences.prompt_keys(),
            self.options,
        )

    def _warn(self, preferences: Preferences, seen: int) -> None:
        name = preferences.name
        if seen:
            say(
                f"warning: {name}: the auxiliary model was trained on the prompts of {seen} of "
                f"{len(preferences)} pairs: its errors are smaller there than elsewhere."
            )
        if self.samples.altered:
            say(
                f"warning: {self.samples.place} was drawn with {self.samples.altered}: the direct "
                "estimate is of the policy as sampled, the ratios are of the policy as it is."
            )
        cuts = self.policy.cuts
        if cuts is not None and cuts.response_cut:
            say(
                f"warning: {name}: {cuts.response_cut} pairs lost the end of a response "
                "(max_length): their ratios are those of what is left."
            )


def show_values(values: dict[str, PolicyValue]) -> None:
    """A table of the estimates, and what to make of them."""
    from surefoot.evaluation.value_verdict import verdict

    rows = [
        [
            name,
            *(figure(e) for e in (one.direct, one.importance, one.doubly_robust)),
            f"{one.effective:.1f} of {2 * one.n}",
        ]
        for name, one in values.items()
    ]
    table(
        "Value of the policy: how often it is preferred to its reference (covers test prompts)",
        ["data", "direct", "importance", "doubly robust", "effective size"],
        rows,
    )
    for name, one in values.items():
        said = verdict(one)
        for line in (said.sentence, *said.points):
            out.print(f"{name}: {line}", soft_wrap=True)


def value_json(value: PolicyValue) -> dict[str, Any]:
    """The figures, and what to make of them."""
    from surefoot.evaluation.value_verdict import verdict

    said = verdict(value)
    return value.to_dict() | {"verdict": said.sentence, "points": list(said.points)}


def run_win_rate(
    request: Request, folder: RunFolder, tie_tolerance: float, source: str | None
) -> None:
    """Have A's responses judged against B's; print, and write the figures and a page."""
    quiet_libraries()
    from surefoot.evaluation.samples import contests, read_samples
    from surefoot.evaluation.win_rate import win_rate
    from surefoot.report import win_rate_page

    ours = [read_samples(path) for path in request.samples]
    theirs = [read_samples(path) for path in request.against]
    theirs = theirs * len(ours) if len(theirs) == 1 else theirs
    pairs = [contests(a, b, source) for a, b in zip(ours, theirs, strict=True)]
    found = win_rate(_judge(request, pairs), tie_tolerance)
    names = [", ".join(str(path) for path in paths) for paths in (request.samples, request.against)]
    content = {"schema_version": 1, "a": names[0], "b": names[1], "judge": request.judge}
    page = partial(win_rate_page, found, *names, judge=str(request.judge), command=invocation())
    results: dict[str, Content] = {
        "evaluation.json": content | {"win_rate": found.to_dict()},
        "report.html": page,
    }
    lost = write(folder, results)
    _show_win_rate(found, [len(p) for p in pairs], _left_over(ours, theirs))
    refuse_lost(lost)


def _judge(request: Request, pairs: Sequence[Preferences]) -> list[Judged]:
    """By a run, or by the endpoint that a YAML file names."""
    from surefoot.evaluation.samples import judged_contests
    from surefoot.scorers import load_scorer
    from surefoot.scorers.ensemble_file import is_ensemble

    assert request.judge is not None
    if Path(request.judge).suffix not in (".yaml", ".yml") or is_ensemble(request.judge):
        (folder,) = _one_run(request.judge)
        scorer = load_scorer(folder)
        return [judged_contests(one, _finite(request.judge, scorer, one)) for one in pairs]
    from surefoot.auxiliary.judge import judge_pairs

    options = _endpoint(Path(request.judge))

    def proceed(cost: object) -> bool:
        return request.yes or confirmed(cost)

    found = []
    for one in pairs:
        said = judge_pairs(options, one, proceed=proceed, say=say)
        equal = np.isnan(said.firsts).all(1) & np.isfinite(said.probabilities)
        firsts = np.where(equal[:, None], 0.5, said.firsts)  # not asked: a tie
        found.append(judged_contests(one, firsts[:, 0], 1 - firsts[:, 1]))
    return found


def _finite(place: str, scorer: TrainedScorer, pairs: Preferences) -> npt.NDArray[np.float64]:
    """P(a preferred) by a model, which has no reason to leave one out."""
    found = scorer.probabilities(pairs)
    if wrong := int((~np.isfinite(found)).sum()):
        raise DataError(
            f"{place} gives no number for {wrong} of {len(found)} comparisons: the model may have "
            "diverged in training."
        )
    return found


def _endpoint(path: Path) -> Any:
    """The judge in a YAML file: its options, alone or under `auxiliary` as for surefoot sample."""
    from surefoot.auxiliary.judge import Judge
    from surefoot.boundary.yaml_texts import yaml_file

    given = yaml_file(path, "the judge in")
    options = given.get("auxiliary", given) if isinstance(given, dict) else given
    if not isinstance(options, dict) or options.get("kind", "judge") != "judge":
        raise ConfigurationError(
            f"{path} holds no judge: base_url, model and so on; got {excerpt(_names(given))}."
        )
    return Judge(**{name: value for name, value in options.items() if name != "kind"})


def _names(given: Any) -> Any:
    """The options that are given, without their values: one may be a key."""
    return list(given) if isinstance(given, dict) else type(given).__name__


def _one_run(place: str) -> list[Path]:
    folders = run_folders(place)
    if len(folders) > 1:
        raise ConfigurationError(f"{place} holds {len(folders)} seeds; name one: {folders[0]}.")
    return folders


def _left_over(ours: Sequence[Samples], theirs: Sequence[Samples]) -> int:
    return sum(
        abs(len(w.responses) - len(b.written[key].responses))
        for a, b in zip(ours, theirs, strict=True)
        for key, w in a.written.items()
    )


def _show_win_rate(found: WinRate, contests: Sequence[int], left_over: int) -> None:
    rows = [
        ["win rate of A (ties count half)", figure(found.win_rate)],
        ["the same at equal length", figure(found.length_controlled)],
        ["mean P(A preferred)", figure(found.probability)],
        ["ties", figure(found.ties)],
        ["A is longer", figure(found.longer)],
        [
            "length of A, of B (characters)",
            " and ".join(f"{e.estimate:.1f}" for e in found.lengths),
        ],
    ]
    if found.position is not None and found.inconsistent is not None:
        rows += [
            ["the response shown first wins", figure(found.position)],
            ["another winner in the other order", figure(found.inconsistent)],
        ]
    table(
        f"A against B: {found.n} comparisons on {found.prompts} prompts (covers "
        f"{found.win_rate.covers})",
        ["", "figure"],
        rows,
    )
    for one in (found.win_rate, found.length_controlled):
        if one.low is None:
            say(f"note: no interval: {one.note}")
    for note in found.notes:
        say(f"warning: {note}.")
    if left_over:
        say(f"note: {left_over} responses had no counterpart and were not compared.")
    if found.n < sum(contests):
        say(f"warning: {sum(contests) - found.n} comparisons got no judgment and are left out.")
