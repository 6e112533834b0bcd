"""What a curve of best-of-n says, in sentences."""

from __future__ import annotations

from surefoot.evaluation.policies.overoptimisation import Curve
from surefoot.evaluation.policies.value_verdict import Verdict

#: Share of equal neighbours from which ties are told: KL is then an upper bound that is not tight.
_MANY_TIES = 0.05


def verdict(curve: Curve) -> Verdict:
    """Whether choosing among more responses still finds more gold reward at the end of the fit."""
    last = curve.gold[-1]
    ends = f"best of {curve.n[-1]} gains {last} in gold reward over one response"
    points = tuple(_points(curve))
    if curve.law is None:
        sentence = f"{ends}; with fewer than eight responses to a prompt no law is fitted."
        return Verdict("doubt", sentence[0].upper() + sentence[1:], points)
    slope, n = curve.law.slope, curve.n[curve.law.points]
    side = slope.side(0.0)
    if side < 0:
        found = f"Over-optimised: at n = {n} the gold reward falls as the proxy's grows"
        return Verdict("bad", f"{found} (slope {slope}); {ends}.", points)
    if side > 0:
        found = f"No over-optimisation up to n = {n}: the gold reward still grows there"
        return Verdict("good", f"{found} (slope {slope}); {ends}.", points)
    found = f"At n = {n} the gold reward is not told to grow or to fall"
    return Verdict("doubt", f"{found} (slope {slope}); {ends}.", points)


def _points(curve: Curve) -> list[str]:
    proxy, gold = curve.proxy[-1].estimate, curve.gold[-1].estimate
    found = []
    if proxy and gold is not None:
        found.append(
            f"Of {proxy:.2f} deviations that the proxy promises at n = {curve.n[-1]}, the gold "
            f"reward has {gold:.2f}."
        )
    if curve.law and curve.law.peak is not None:
        peak, last = curve.law.peak, curve.law.last
        inside = f"at d = {peak:.2f}; the fit ends at {last:.2f}"
        beyond = f"beyond the fit, which ends at d = {last:.2f}"
        found.append(f"The law has its peak {inside if peak <= last else beyond}.")
    if curve.most > curve.n[-1]:
        found.append(
            f"Prompts have {curve.n[-1]} to {curve.most} responses: the curve ends at the fewest."
        )
    if curve.tied > _MANY_TIES:
        found.append(
            f"{curve.tied:.0%} of neighbouring responses have the same proxy reward: KL is an "
            "upper bound."
        )
    return found
