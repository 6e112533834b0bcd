"""The tables, from the figures alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.common.tables import estimate, marked
from experiments.overoptimisation.runs import Settings

#: The arm that the others are compared with.
SINGLE = "single"
#: Sizes that a table of best-of-n shows, beside the last.
_SHOWN = (4, 16, 64)


def markdown(figures: Mapping[str, Any], settings: Settings) -> str:
    """All tables, from the figures alone."""
    main, found = settings.main, figures["best_of_n"]
    parts = [
        f"{settings.seeds} seeds; intervals cover seeds and test prompts. All gains are over one "
        "response of the policy to begin with, in deviations of the gold reward between two "
        "responses to one prompt.",
        f"**Best of n, gold reward** (world *{main}*; choosing by the gold reward itself gains "
        f"{found[main]['possible'][-1]:.2f} at the end):",
        *_best_of_n(found[main]),
        f"**RL, gold reward** ({figures['training']['arms'][SINGLE]['steps'][-1]} steps; *end* is "
        "of the final policy on the test prompts, with its interval; the columns before it are "
        f"means over {settings.window} steps of what it wrote in training):",
        *_training(figures["training"]),
        f"**Differences at n = {found[main]['arms'][SINGLE]['n'][-1]} and at the end of RL**, "
        "prompt by prompt and seed by seed. What was asked beforehand "
        f"({figures['question_distinguishable']} distinguishable after Holm), and, as a family of "
        f"its own, what tells averaging from pessimism ({figures['reasons_distinguishable']}):",
        *_differences(found[main], figures["training"]),
    ]
    for name in list(settings.worlds)[1:]:
        parts += [
            f"**Best of n in the world *{name}*** (not tested; choosing by the gold reward itself "
            f"gains {found[name]['possible'][-1]:.2f}):",
            *_best_of_n(found[name]),
        ]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    return ["\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])]


def _best_of_n(found: Mapping[str, Any]) -> list[str]:
    sizes = found["arms"][SINGLE]["n"]
    shown = [t for t, n in enumerate(sizes) if n in _SHOWN or t == len(sizes) - 1]
    head = ["", *(f"n = {sizes[t]}" for t in shown), "proxy promises", "slope of the law", "peak d"]
    rows = []
    for name, one in found["arms"].items():
        law = one["law"]
        gold = [f"{estimate(one['gold'][t - 1]):.2f}" for t in shown]
        peak = "none" if law["peak"] is None else f"{law['peak']:.2f}"
        slope = f"{estimate(law['slope_at_the_end']):.2f}"
        rows.append([name, *gold, f"{one['proxy'][-1]:.2f}", slope, peak])
    members = found["members"]
    said = (
        f"Correlation over responses to one prompt: {members['between_members']:.2f} between two "
        f"members, {members['with_gold']:.2f} of a member with the gold reward. Members with a "
        f"temperature above 10: {members['temperature_above_10']} of {members['count']}. The law "
        "is fitted up to n = "
        f"{sizes[-1] // 2}, where d = {found['arms'][SINGLE]['law']['end']:.2f}."
    )
    return [*_table(head, rows), said]


def _training(found: Mapping[str, Any]) -> list[str]:
    steps = found["arms"][SINGLE]["steps"]
    shown = sorted({len(steps) // 4 - 1, len(steps) // 2 - 1, len(steps) - 1} - {-1})
    head = ["", *(f"to step {steps[t]}" for t in shown), "end", "end of each seed"]
    head += ["own proxy", "KL", "best window of each seed"]
    rows = []
    for name, one in found["arms"].items():
        rows.append(
            [
                name,
                *(f"{one['gold'][t]:.2f}" for t in shown),
                f"{estimate(one['end']):.2f}",
                ", ".join(f"{value:.2f}" for value in one["end_by_seed"]),
                f"{one['proxy'][-1]:.2f}",
                f"{one['kl'][-1]:.1f}",
                ", ".join(f"{value:.2f}" for value in one["best_by_seed"]),
            ]
        )
    laws = []
    for name, one in found["arms"].items():
        slopes = [slope for slope in one["slope_by_seed"] if slope is not None]
        laws.append(f"{name} {', '.join(f'{slope:.2f}' for slope in slopes)}")
    said = "Slope of the law of RL at the end of each seed's run: " + "; ".join(laws) + "."
    shares = {
        key: "; ".join(
            f"{name} {', '.join(f'{one[key]:.0%}' for one in arm['written'])}"
            for name, arm in found["arms"].items()
        )
        for key in ("rare", "empty")
    }
    said += f" Of the words that the final policy writes, from the rarer half: {shares['rare']}."
    said += f" Empty responses: {shares['empty']}."
    return [*_table(head, rows), said]


def _differences(best_of_n: Mapping[str, Any], training: Mapping[str, Any]) -> list[str]:
    rows = [
        [name, marked(best_of_n["differences"][family][name]), marked(found)]
        for family in ("question", "reasons")
        for name, found in training["differences"][family].items()
    ]
    return _table(["", "best of n", "RL"], rows)
