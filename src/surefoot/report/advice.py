"""What an evaluation means, in sentences: the verdict first, then what to do."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.evaluation import ComparisonResult, EvaluationResult, Overlap
from surefoot.report.words import Outcome, count, counted, interval, number, p_value, percent
from surefoot.statistics import Comparison

Outcomes = Sequence[tuple[str, Outcome]]

_CLAIMS: tuple[Outcome, Outcome] = ("better", "worse")
_WORDS: tuple[Outcome, ...] = (*_CLAIMS, "not distinguishable", "not tested")
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
    wins = _names(against_ruler, "better")
    tone = "good" if len(wins) == total else "doubt" if wins else "bad"
    where = "here" if total == 1 else f"on {len(wins)} of {total} sets of pairs"
    if total == 1 and not wins:
        sentence = f"Nothing shows that {model} knows more than a content-blind ruler here"
    elif not wins:
        sentence = f"On no set of pairs does {model} beat the best content-blind ruler"
    else:
        sentence = f"{_upper(model)} beats the best content-blind ruler {where}"
    if against_baseline:
        tone = min(tone, _baseline_tone(against_baseline), key=_GRAVEST.index)
        sentence += f"; it is {_baseline_clause(against_baseline, baseline)}"
    sentences = []
    if worse := _names(against_ruler, "worse"):
        sentences.append(f"Worse than a ruler on {', '.join(worse)}: picking by looks does better.")
    if same := _names(against_ruler, "not distinguishable"):
        sentences.append(f"Not distinguishable from a ruler on {', '.join(same)}.")
    if untested := _names(against_ruler, "not tested"):
        sentences.append(f"Too few independent pairs to test on {', '.join(untested)}.")
    if len(against_baseline) > 1:
        sentences.append(_baseline_line(against_baseline, baseline))
    return tone, f"{sentence}.", sentences


def one_suite(result: EvaluationResult, against_ruler: Outcome) -> tuple[str, str]:
    """Tone and sentence for one set of pairs."""
    right = f"Right on {interval(result.accuracy)} of the pairs"
    ruler = f"the ruler “{result.best_ruler}” ({interval(result.rulers[result.best_ruler])})"
    if against_ruler == "better":
        return "good", f"{right}, better than {ruler}."
    if against_ruler == "worse":
        return "bad", f"{right}, worse than {ruler}: picking by looks does better here."
    if against_ruler == "not distinguishable":
        return "doubt", f"{right}, not distinguishable from {ruler}."
    return "doubt", f"{right}; too few independent pairs to compare it with {ruler}."


def points(
    result: EvaluationResult,
    against_ruler: Outcome,
    comparison: ComparisonResult | None,
    against_baseline: Outcome,
    adjusted: float | None,
    overlap: Overlap | None,
) -> list[str]:
    """What to know and do about one set of pairs, the most important first."""
    sentences = []
    if against_ruler in ("not distinguishable", "not tested"):
        sentences.append(_ruler_point(result.beyond_ruler))
    if comparison is not None:
        sentences.append(_comparison_point(comparison, against_baseline, adjusted))
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
            "on pairs like these before using them as probabilities. Accuracy is not affected."
        )
    elif sure.side(0.0) < 0:
        sentences.append(
            f"Its probabilities are too cautious ({interval(sure, signed=True)}): fit a "
            "temperature on pairs like these before using them. Accuracy is not affected."
        )
    if overlap is not None and overlap.rows:
        sentences.append(
            f"{counted(overlap.rows, 'pair')} of {count(overlap.n)} ({percent(overlap.share)}) "
            "have a prompt that was seen in training: part of the accuracy may be memory."
        )
    if result.model_ties > _MANY_TIES * result.n:
        sentences.append(
            f"The model ties on {counted(result.model_ties, 'pair')} ({_share(result)}), each "
            "counted half right."
        )
    return sentences + [note[:1].upper() + note[1:] + "." for note in result.notes]


def _ruler_point(beyond: Comparison) -> str:
    if beyond.minimum_detectable is None:
        return f"No interval for the difference: {beyond.difference.note}."
    text = (
        f"The difference to the ruler is {interval(beyond.difference, signed=True)}. This test "
        f"finds a true difference of {number(beyond.minimum_detectable)} four times in five"
    )
    observed = beyond.difference.estimate
    needed = beyond.pairs_needed(observed) if observed else None
    if needed is not None and needed > beyond.difference.n:
        text += f"; one of {number(observed, signed=True)} needs about {count(needed)} such pairs"
    return text + "."


def _comparison_point(
    comparison: ComparisonResult, against_baseline: Outcome, adjusted: float | None
) -> str:
    tested = comparison.accuracy
    what = "models" if comparison.seeds == 1 else "methods"
    difference = interval(tested.difference, signed=True)
    if against_baseline == "not tested":
        return f"Against the baseline {difference}: no test of the two {what}."
    text = f"Against the baseline {against_baseline}: {difference}, {_p(tested.p_value, adjusted)}"
    if against_baseline == "not distinguishable" and tested.minimum_detectable is not None:
        text += (
            f". That is no proof of equality: a true difference below "
            f"{number(tested.minimum_detectable)} is often missed here"
        )
    text += "."
    if comparison.seeds == 1:
        text += " This speaks of these two models; a claim about the two methods needs more seeds."
    return text


def _baseline_tone(outcomes: Outcomes) -> str:
    if _names(outcomes, "worse"):
        return "doubt" if _names(outcomes, "better") else "bad"
    return "good" if _names(outcomes, "better") else "doubt"


def _baseline_clause(outcomes: Outcomes, baseline: str) -> str:
    if len(outcomes) == 1:
        word = outcomes[0][1]
        if word == "not distinguishable":
            return f"not distinguishable from {baseline}"
        return (
            f"not tested against {baseline}" if word == "not tested" else f"{word} than {baseline}"
        )
    better, worse = (len(_names(outcomes, word)) for word in _CLAIMS)
    if not better and not worse:
        return f"not distinguishable from {baseline} on any"
    return f"better than {baseline} on {better} of {len(outcomes)}, worse on {worse}"


def _baseline_line(outcomes: Outcomes, baseline: str) -> str:
    parts = [f"{word} on {', '.join(n)}" for word in _WORDS if (n := _names(outcomes, word))]
    return f"Against {baseline}: {'; '.join(parts)} (p-values corrected for the number of sets)."


def _p(alone: float | None, adjusted: float | None) -> str:
    """P with its sign, and what it was before a correction that changed it."""
    shown = p_value(alone if adjusted is None else adjusted)
    text = f"p {shown.replace('<', '< ')}" if shown.startswith("<") else f"p = {shown}"
    if adjusted is None or p_value(alone) == shown:
        return text
    return f"{text} after correction for the number of sets ({p_value(alone)} before)"


def _names(outcomes: Outcomes, word: Outcome) -> list[str]:
    return [name for name, outcome in outcomes if outcome == word]


def _share(result: EvaluationResult) -> str:
    return percent(result.model_ties / result.n)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:] if text.startswith("the ") else text
