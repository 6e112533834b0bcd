"""A chat model at an OpenAI-compatible endpoint as the judge of pairs."""

from surefoot.judge.cost import Cost
from surefoot.judge.errors import DeclinedError, JudgeError
from surefoot.judge.judging import Judge, judge_pairs
from surefoot.judge.result import JudgeResult

__all__ = ["Cost", "DeclinedError", "Judge", "JudgeError", "JudgeResult", "judge_pairs"]
