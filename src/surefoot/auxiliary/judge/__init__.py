"""A chat model at an OpenAI-compatible endpoint as the judge of pairs."""

from surefoot.auxiliary.judge.cost import Cost
from surefoot.auxiliary.judge.errors import DeclinedError, JudgeError
from surefoot.auxiliary.judge.options import Judge
from surefoot.auxiliary.judge.result import JudgeResult
from surefoot.auxiliary.judge.run import judge_pairs

__all__ = ["Cost", "DeclinedError", "Judge", "JudgeError", "JudgeResult", "judge_pairs"]
