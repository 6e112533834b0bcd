"""What one policy wrote against what another one wrote, and who says which is better."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from surefoot.arrays import Floats
from surefoot.data.schema import Preferences
from surefoot.errors import DataError
from surefoot.evaluation.pairs.rulers import length
from surefoot.evaluation.policies.samples import Samples, require_prompts
from surefoot.evaluation.policies.win_rate import Contests
from surefoot.judge import Judge, judge_pairs
from surefoot.scorers import TrainedScorer


def contests(a: Samples, b: Samples, source: str | None = None) -> Preferences:
    """The k-th response of A against the k-th of B, for every prompt: comparisons to be judged.

    Where one side wrote more to a prompt, what is left over is not compared. The source is for
    judges that know sources.

    Raises:
        DataError: the two files hold different prompts.
    """
    for one, other in ((a, b), (b, a)):
        require_prompts(one.place, other, {key: w.prompt for key, w in one.written.items()})
    rows = [
        w.prompt._asdict() | {"response_a": x, "response_b": y, "label": 0.5, "source": source}
        for key, w in a.written.items()
        for x, y in zip(w.responses, b.written[key].responses, strict=False)
    ]
    return Preferences.from_rows(rows, f"{a.place} against {b.place}")


def left_over(a: Samples, b: Samples) -> int:
    """Responses to the prompts of A, on either side, that have no counterpart."""
    return sum(
        abs(len(w.responses) - len(b.written[key].responses)) for key, w in a.written.items()
    )


def judged_by_model(model: TrainedScorer, pairs: Preferences, place: str = "the judge") -> Contests:
    """Contests as a trained scorer sees them, which does not see the order.

    Raises:
        DataError: it has no number for some of them.
    """
    chances = model.probabilities(pairs)
    if wrong := int((~np.isfinite(chances)).sum()):
        raise DataError(
            f"{place} gives no number for {wrong} of {len(chances)} comparisons: the model may "
            "have diverged in training."
        )
    return judged_contests(pairs, chances)


def judged_by_endpoint(
    judge: Judge,
    pairs: Preferences,
    *,
    proceed: Callable[[object], bool],
    say: Callable[[str], object],
) -> Contests:
    """Contests as a chat model sees them, in both orders; those without a judgment are left out.

    Raises:
        SurefootError: see :func:`surefoot.judge.judge_pairs`; or none was judged.
    """
    said = judge_pairs(judge, pairs, proceed=proceed, say=say)
    equal = np.isnan(said.firsts).all(1) & np.isfinite(said.probabilities)
    firsts = np.where(equal[:, None], 0.5, said.firsts)  # not asked: a tie
    return judged_contests(pairs, firsts[:, 0], 1 - firsts[:, 1])


def judged_contests(pairs: Preferences, first: Floats, second: Floats | None = None) -> Contests:
    """Judged contests, with lengths in characters; those without a judgment (NaN) are left out.

    `first` is P(A preferred) with A first, `second` the same with A second, shape (N,); None where
    the judge does not see the order.

    Raises:
        DataError: none was judged.
    """
    lengths = np.array([[length(text) for text in side] for side in pairs.texts("response")]).T
    kept = np.isfinite(first if second is None else first + second)
    return Contests(
        first[kept],
        None if second is None else second[kept],
        lengths[kept],
        pairs.prompt_keys()[kept],
    )
