"""The tables, from the figures alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.common.tables import correct, estimate, marked, remaining, table
from experiments.sentiment.data import Settings

#: What the others are compared with.
BASELINE = "DPO"
KINDS = ("reward_difference", "wins_difference", "over_one_half")

Figures = Mapping[str, Any]


def correct_all(found: Figures) -> None:
    """Holm-adjusted p-values in each family of comparisons."""
    for family in families(found).values():
        correct(family)


def families(found: Figures) -> dict[str, list[dict[str, Any]]]:
    """The comparisons that are marked together: of one kind, in all worlds."""

    def every(kind: str) -> Iterator[dict[str, Any]]:
        for rows in found["worlds"].values():
            yield from (row[kind] for row in rows.values() if kind in row)

    return {kind: list(every(kind)) for kind in KINDS}


def markdown(found: Figures, settings: Settings) -> str:
    """All of them."""
    lines = _introduction(found, settings)
    for name in found["worlds"]:
        lines += ["", *_table(name, found)]
    reward, wins, over = (remaining(family) for family in families(found).values())
    lines += [
        "",
        f"Distinguishable from {BASELINE} after Holm's correction within each kind: {reward} "
        f"differences of reward, {wins} of wins over the reference, {over} rates of wins over "
        f"{BASELINE}.",
    ]
    return "\n".join(lines) + "\n"


def _introduction(found: Figures, settings: Settings) -> list[str]:
    small, seeds, k = found["small_model"], settings.seeds, settings.samples
    checks = ", ".join(f"{one['auc']['estimate']:.2f}" for one in found["reference_checks"])
    return [
        f"A Llama of {small['parameters'] / 1e6:.2f}M parameters, trained on {small['texts']} "
        f"clauses of film reviews ({small['held_out_loss']:.2f} nats a token on held-out ones; "
        f"chance: {small['chance_loss']:.2f}), is the reference of all. {seeds} "
        f"seed{'s' * (seeds > 1)}: each draws {settings.pairs} prompts of "
        f"{settings.sentences.prompt_words} words, two responses, a label "
        f"({settings.flip_rate:.0%} are flipped) and {2 * settings.references} references "
        f"to each (AUC of the reference check: {checks}). True reward: log-odds of a positive "
        f"sentence by a scorer that is right about {found['scorer_accuracy']:.1%} of the sentences "
        "it has not seen, in deviations over held-out clauses.",
        "",
        f"{k} responses to each of {found['prompts'][settings.tested_on]} held-out prompts. "
        "Intervals cover seeds and prompts. *KL*: in nats a response, from the policy to the "
        "reference. *Wins over the reference*: P(preferred) by the true preference, without flips; "
        "*counted*: as a judge counts who always names the likelier one; *by the auxiliary "
        "model*: as a judge sees them who was fitted on the labels that the policy was trained on. "
        "*Cut*: share that reached the largest number of tokens. *s*: seconds of training on one "
        "core.",
    ]


def _table(name: str, found: Figures) -> list[str]:
    rows, labels = found["worlds"][name], found["labels"][name]
    titles = ["method", "true reward", f"less {BASELINE}", "KL", "wins over the reference"]
    titles += [f"less {BASELINE}", "counted", "by the auxiliary model", f"wins over {BASELINE}"]
    titles += ["words", "cut", "s"]
    lines = [
        f"**{name}**: before the flips, sentiment says {labels['agreement_with_sentiment']:.0%} of "
        f"the labels, the law itself {labels['best_possible_agreement']:.0%}; "
        f"{found['cycles'][name]:.0%} of the triples of responses to a prompt cycle. Root mean "
        "square error of the auxiliary model on flipped labels' law: "
        f"{labels['auxiliary_error']:.3f} (of one half: {labels['error_of_one_half']:.3f}).",
        "",
    ]
    shown = []
    for title, row in found["rulers"][name].items():
        cells = [f"*{title}*", f"{estimate(row['reward']):.2f}", "", ""]
        cells += [str(estimate(row["wins"])), "", f"{row['wins_counted']['estimate']:.3f}"]
        shown.append(cells + [""] * (len(titles) - len(cells)))
    for title, row in rows.items():
        compared = title != BASELINE
        cells = [
            title + (f", c = {row['coefficient']:.2f}" if "coefficient" in row else ""),
            f"{estimate(row['reward']):.2f}",
            marked(row["reward_difference"]) if compared else "",
            f"{estimate(row['divergence']):.2f}",
            str(estimate(row["wins"])),
            marked(row["wins_difference"]) if compared else "",
            f"{row['wins_counted']['estimate']:.3f}",
            f"{row['wins_by_auxiliary']['estimate']:.3f}",
            _over(row) if compared else "",
            f"{row['words']:.1f}",
            f"{row['cut']:.0%}",
            f"{row['training_seconds']:.0f}",
        ]
        shown.append(cells)
    return lines + table(titles, shown)


def _over(row: Figures) -> str:
    """Wins over the baseline, marked where they differ from one half after the correction."""
    said = marked(row["over_one_half"])
    mark = said[said.index(" **") :] if " **" in said else ""
    return f"{estimate(row['over_baseline'])}{mark}"
