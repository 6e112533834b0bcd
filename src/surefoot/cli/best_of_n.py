"""`surefoot best-of-n`: does choosing by this reward model find what is wanted?"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli.arguments import MODEL, Baseline, LoadingFlags, Model, ReportFlags, Source
from surefoot.cli.console import conclude, figure, out, say, table
from surefoot.cli.inputs import load_both, load_one, say_notes
from surefoot.cli.results import publish, reporting
from surefoot.errors import ConfigurationError
from surefoot.paths import FILES

if TYPE_CHECKING:
    from surefoot.evaluation.policies.overoptimisation.choosing import BestOfN


def best_of_n(
    model: Model,
    samples: Annotated[
        Path,
        typer.Option(help="Several responses to each prompt, from surefoot sample."),
        FILES,
    ],
    report: ReportFlags,
    *,
    gold: Annotated[
        str | None,
        typer.Option(help="A run that stands in where the samples have no `gold` column."),
        MODEL,
    ] = None,
    baseline: Baseline = None,
    source: Source = None,
    loading: LoadingFlags,
) -> None:
    r"""What does the gold reward do as a reward model chooses the best of n responses?

    The model's own reward grows with n for sure. Where what is wanted stops growing with it, the
    model is over-optimised.

    For example:

        surefoot best-of-n runs/reward --samples scored.jsonl --output report
        surefoot best-of-n ensemble.yaml --samples written/references.jsonl --gold runs/held-out \
            --baseline runs/reward --output report
    """
    if baseline == model:
        raise ConfigurationError(f"--baseline {baseline} is the model itself: name another one.")
    with reporting(report, samples, model, baseline, gold, loading.reference) as folder:
        from surefoot.evaluation.policies.overoptimisation.choosing import choose_best
        from surefoot.evaluation.policies.samples import gold_of, read_samples, sampled_rewards
        from surefoot.report import best_of_n_page

        models, baselines = load_both(model, baseline, loading)
        written = read_samples(samples)
        wanted = (
            gold_of(written)
            if gold is None
            else sampled_rewards(load_one(gold, "--gold"), written, source)
        )
        say(f"rewards of {sum(map(len, wanted))} responses to {len(wanted)} prompts")
        result = choose_best(
            {model: models} | ({baseline: baselines} if baseline else {}),
            written,
            wanted,
            stand_in=gold,
            source=source,
        )
        say_notes([*models, *baselines])
        publish(folder, result.to_dict(), partial(best_of_n_page, result), partial(_show, result))


def _show(result: BestOfN) -> None:
    for place, best in result.curves.items():
        rows = [
            [str(n), f"{kl:.3f}", figure(proxy), figure(gold)]
            for n, kl, proxy, gold in zip(best.n, best.kl, best.proxy, best.gold, strict=True)
        ][1:]
        table(
            f"{place}: gain over one response, in deviations between responses to one prompt "
            f"(covers {best.gold[-1].covers})",
            ["n", "KL", "proxy", "gold"],
            rows,
        )
        if best.gold[-1].low is None:
            say(f"note: no interval: {best.gold[-1].note}")
        if law := best.law:
            fit = "" if law.r2 is None else f", R² {law.r2:.3f}"
            line = f"gold = d (alpha - beta d), d = root of KL, n up to {best.n[law.points]}: "
            out.print(f"{line}alpha {law.alpha}, beta {law.beta}{fit}", soft_wrap=True)
    if result.compared:
        rows = [
            [str(n), figure(c.difference), "" if c.p_value is None else f"{c.p_value:.3g}"]
            for n, c in zip(result.ours.n[1:], result.compared[1:], strict=True)
        ]
        covers = result.compared[-1].difference.covers
        table(f"Gold reward less the baseline's (covers {covers})", ["n", "difference", "p"], rows)
    for line in (*result.verdict.points, *result.cautions):
        out.print(line, soft_wrap=True)
    model = next(iter(result.curves))
    following = "evaluate", model, "LABELLED.jsonl", "--output", "report"
    conclude(result.verdict.sentence, *following)
