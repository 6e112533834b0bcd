"""What an evaluation means, in sentences: the verdict first, then what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.report.words import (
    Outcome,
    count,
    counted,
    interval,
    number,
    outcome,
    p_value,
    percent,
)
from surefoot.statistics import Comparison

if TYPE_CHECKING:
    from surefoot.evaluation import ComparisonResult, EvaluationResult
    from surefoot.evaluation.run import SetFindings

Outcomes = Sequence[tuple[str, Outcome]]

_WORDS: tuple[Outcome, ...] = ("better", "worse", "not distinguishable", "not tested")
_GRAVEST = ("bad", "doubt", "good")

#: Share of tied pairs from which a model that ties is worth a sentence.
_MANY_TIES = 0.01


def overall(
    against_ruler: Outcomes, against_baseline: Outcomes, model: str, baseline: str
) -> tuple[str, str, list[str]]:
    """Tone, sentence and points for all sets of pairs together."""
    total = len(against_ruler)
    if not total:
        return "doubt", "Nothing was evaluated.", []
    ruled, based = _names(against_ruler), _names(against_baseline)
    wins = ruled["better"]
    tone = "good" if len(wins) == total else "doubt" if wins else "bad"
    where = "here" if total == 1 else f"on {len(wins)} of {total} sets of pairs"
    if total == 1 and not wins:
        sentence = f"Nothing shows that {model} knows more than a content-blind ruler here"
    elif not wins:
        sentence = f"On no set of pairs does {model} beat the best content-blind ruler"
    else:
        sentence = f"{_upper(model)} beats the best content-blind ruler {where}"
    if against_baseline:
        tone = min(tone, _baseline_tone(based), key=_GRAVEST.index)
        sentence += f"; it is {_baseline_clause(against_baseline, based, baseline)}"
    sentences = []
    if worse := ruled["worse"]:
        sentences.append(f"Worse than a ruler on {', '.join(worse)}: picking by looks does better.")
    if same := ruled["not distinguishable"]:
        sentences.append(f"Not distinguishable from a ruler on {', '.join(same)}.")
    if untested := ruled["not tested"]:
        sentences.append(f"Too few independent pairs to test on {', '.join(untested)}.")
    if len(against_baseline) > 1:
        on = "; ".join(f"{word} on {', '.join(names)}" for word, names in based.items() if names)
        sentences.append(f"Against {baseline}: {on} (p-values corrected for the number of sets).")
    return tone, f"{sentence}.", sentences


def one_suite(result: EvaluationResult) -> tuple[str, str]:
    """Tone and sentence for one set of pairs."""
    right = f"Right on {interval(result.accuracy)} of the pairs"
    ruler = f"the ruler “{result.best_ruler}” ({interval(result.rulers[result.best_ruler])})"
    said: dict[Outcome, tuple[str, str]] = {
        "better": ("good", f"better than {ruler}"),
        "worse": ("bad", f"worse than {ruler}: picking by looks does better here"),
        "not distinguishable": ("doubt", f"not distinguishable from {ruler}"),
    }
    if found := said.get(outcome(result.beyond_ruler)):
        return found[0], f"{right}, {found[1]}."
    return "doubt", f"{right}; too few independent pairs to compare it with {ruler}."


def points(findings: SetFindings, adjusted: float | None) -> list[str]:
    """What to know and do about one set of pairs, the most important first."""
    sentences = []
    result, overlap = findings.result, findings.overlap
    if outcome(result.beyond_ruler) in ("not distinguishable", "not tested"):
        sentences.append(_ruler_point(result.beyond_ruler))
    if findings.comparison is not None:
        sentences.append(_comparison_point(findings.comparison, adjusted))
    worst = result.worst
    if worst is not None and worst.value.side(0.5) < 0:
        sentences.append(
            f"At least one group is served worse than by a coin: {worst.group} is lowest at "
            f"{interval(worst.value)}. Read pairs of that group before using the model on it."
        )
    sure = result.calibration.overconfidence
    if sure.side(0.0) > 0:
        sentences.append(
            f"Its probabilities are too sure of themselves by {interval(sure)}: fit a temperature "
            "on other pairs like these (surefoot calibrate) before using them as probabilities. "
            "Accuracy is not affected."
        )
    elif sure.side(0.0) < 0:
        sentences.append(
            f"Its probabilities are too cautious ({interval(sure, signed=True)}): fit a "
            "temperature on other pairs like these (surefoot calibrate) before using them. "
            "Accuracy is not affected."
        )
    if overlap is not None and overlap.rows:
        sentences.append(
            f"{counted(overlap.rows, 'pair')} of {count(overlap.n)} ({percent(overlap.share)}) "
            "have a prompt that was seen in training: part of the accuracy may be memory."
        )
    if result.model_ties > _MANY_TIES * result.n:
        sentences.append(
            f"The model ties on {counted(result.model_ties, 'pair')} "
            f"({percent(result.model_ties / result.n)}), each counted half right."
        )
    return [*sentences, *(f"{n[:1].upper()}{n[1:]}." for n in result.notes), *findings.notes]


def _detectable(tested: Comparison) -> str:
    about = "about " if tested.approximate else ""
    return about + number(tested.minimum_detectable)


def _ruler_point(beyond: Comparison) -> str:
    if beyond.minimum_detectable is None:
        return f"No interval for the difference: {beyond.difference.note}."
    text = (
        f"The difference to the ruler is {interval(beyond.difference, signed=True)}. This test "
        f"finds a true difference of {_detectable(beyond)} four times in five"
    )
    observed = beyond.difference.estimate
    needed = beyond.pairs_needed(observed) if observed else None
    if needed is not None and needed > beyond.difference.n:
        text += f"; one of {number(observed, signed=True)} needs about {count(needed)} such pairs"
    return text + "."


def _comparison_point(comparison: ComparisonResult, adjusted: float | None) -> str:
    tested = comparison.accuracy
    word = outcome(tested, adjusted)
    what = "models" if comparison.seeds == 1 else "methods"
    difference = interval(tested.difference, signed=True)
    if word == "not tested":
        return f"Against the baseline {difference}: no test of the two {what}."
    text = f"Against the baseline {word}: {difference}, {_p(tested.p_value, adjusted)}"
    if word == "not distinguishable" and tested.minimum_detectable is not None:
        text += (
            f". That is no proof of equality: a true difference below "
            f"{_detectable(tested)} is often missed here"
        )
    text += "."
    if comparison.seeds == 1:
        text += " This speaks of these two models; a claim about the two methods needs more seeds."
    return text


def _baseline_tone(based: dict[Outcome, list[str]]) -> str:
    if based["worse"]:
        return "doubt" if based["better"] else "bad"
    return "good" if based["better"] else "doubt"


def _baseline_clause(outcomes: Outcomes, based: dict[Outcome, list[str]], baseline: str) -> str:
    if len(outcomes) == 1:
        links = {"not distinguishable": "from", "not tested": "against"}
        return f"{outcomes[0][1]} {links.get(outcomes[0][1], 'than')} {baseline}"
    better, worse = len(based["better"]), len(based["worse"])
    if not better and not worse:
        return f"not distinguishable from {baseline} on any"
    return f"better than {baseline} on {better} of {len(outcomes)}, worse on {worse}"


def _p(alone: float | None, adjusted: float | None) -> str:
    """P with its sign, and what it was before a correction that changed it."""
    shown = p_value(alone if adjusted is None else adjusted)
    text = f"p {shown.replace('<', '< ')}" if shown.startswith("<") else f"p = {shown}"
    if adjusted is None or p_value(alone) == shown:
        return text
    return f"{text} after correction for the number of sets ({p_value(alone)} before)"


def _names(outcomes: Outcomes) -> dict[Outcome, list[str]]:
    return {word: [name for name, found in outcomes if found == word] for word in _WORDS}


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:] if text.startswith("the ") else text
