"""`surefoot evaluate --best-of-n`: does choosing by this reward model find what is wanted?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from surefoot.cli.console import (
    Content,
    figure,
    invocation,
    out,
    quiet_libraries,
    refuse_lost,
    say,
    table,
    write,
)
from surefoot.cli.inputs import load_models, precision_of, reference_of, run_folders, same_seeds
from surefoot.cli.request import Request
from surefoot.errors import ConfigurationError

if TYPE_CHECKING:
    from surefoot.evaluation.overoptimisation import Curve
    from surefoot.evaluation.samples import Samples
    from surefoot.runs import RunFolder
    from surefoot.statistics import Comparison


def run_best_of_n(
    request: Request,
    model: str,
    baseline: str | None,
    reference: str | None,
    source: str | None,
    folder: RunFolder,
) -> None:
    """Proxy against gold along n, of a model and of a baseline; print, write figures and a page."""
    quiet_libraries()
    from surefoot.evaluation.overoptimisation import best_of_n_curve, compare_curves
    from surefoot.evaluation.overoptimisation_verdict import verdict
    from surefoot.evaluation.samples import gold_of, read_samples, sampled_rewards
    from surefoot.report import best_of_n_page

    if baseline:
        same_seeds(run_folders(model), run_folders(baseline))
    samples = read_samples(request.samples[0])
    if request.gold is None:
        gold = gold_of(samples)
    else:
        gold = sampled_rewards(_one(request.gold), samples, source)
    curves: dict[str, Curve] = {}
    for place, beside in ((model, baseline), (baseline, model)):
        if place is None:
            continue
        say(f"{place}: rewards of {sum(map(len, gold))} responses to {len(gold)} prompts")
        proxies = load_models(
            place,
            reference_of(place, reference, beside),
            precision_of(place, request.precision, beside),
        )
        rewards = [sampled_rewards(one, samples, source) for one in proxies]
        curves[place] = best_of_n_curve(rewards, gold)
    ours = curves[model]
    compared = compare_curves(ours, curves[baseline]) if baseline else None
    said = verdict(ours)
    content: dict[str, Any] = {
        "schema_version": 1,
        "model": model,
        "baseline": baseline,
        "gold": request.gold or "column",
        "best_of_n": ours.to_dict() | {"verdict": said.sentence, "points": list(said.points)},
    }
    if baseline and compared:
        content |= {
            "baseline_best_of_n": curves[baseline].to_dict(),
            "gold_less_baseline": [one.to_dict() for one in compared],
        }
    page = partial(
        best_of_n_page,
        curves,
        compared,
        gold=request.gold,
        notes=_cautions(request, samples),
        command=invocation(),
    )
    results: dict[str, Content] = {"evaluation.json": content, "report.html": page}
    lost = write(folder, results)
    _show(curves, compared)
    for line in (said.sentence, *said.points, *_cautions(request, samples)):
        out.print(line, soft_wrap=True)
    refuse_lost(lost)


def _one(place: str) -> Any:
    from surefoot.scorers import load_scorer

    folders = run_folders(place)
    if len(folders) > 1:
        raise ConfigurationError(
            f"--gold takes one model; {place} holds {len(folders)} seeds: name one, or an ensemble."
        )
    return load_scorer(folders[0])


def _cautions(request: Request, samples: Samples) -> list[str]:
    found = []
    if request.gold is not None:
        found.append(
            f"{request.gold} stands in for the gold reward: where it errs as the model does, "
            "over-optimisation does not show. It should have other data and another base."
        )
    if samples.altered:
        found.append(
            f"{samples.place} was drawn with {samples.altered}: KL is the distance from the policy "
            "as sampled."
        )
    return found


def _show(curves: dict[str, Curve], compared: Sequence[Comparison] | None) -> None:
    for place, one in curves.items():
        rows = [
            [str(n), f"{kl:.3f}", figure(proxy), figure(gold)]
            for n, kl, proxy, gold in zip(one.n, one.kl, one.proxy, one.gold, strict=True)
        ][1:]
        table(
            f"{place}: gain over one response, in deviations between responses to one prompt "
            f"(covers {one.gold[-1].covers})",
            ["n", "KL", "proxy", "gold"],
            rows,
        )
        if one.gold[-1].low is None:
            say(f"note: no interval: {one.gold[-1].note}")
        if one.law:
            law = one.law
            line = f"gold = d (alpha - beta d), d = root of KL, n up to {one.n[law.points]}: alpha "
            line += f"{law.alpha}, beta {law.beta}"
            line += "" if law.r2 is None else f", R² {law.r2:.3f}"
            out.print(line, soft_wrap=True)
    if compared:
        one = next(iter(curves.values()))
        rows = [
            [str(n), figure(c.difference), "" if c.p_value is None else f"{c.p_value:.3g}"]
            for n, c in zip(one.n[1:], compared[1:], strict=True)
        ]
        covers = compared[-1].difference.covers
        table(f"Gold reward less the baseline's (covers {covers})", ["n", "difference", "p"], rows)
