"""Policies trained online, on TRL's trainers, against the prompts that they serve worst."""

from surefoot.online.adversary import Adversary
from surefoot.online.config import Online, OnlineConfig, OnlineTrainingOptions, PromptOptions
from surefoot.online.prompts import PromptSet

__all__ = [
    "Adversary",
    "Online",
    "OnlineConfig",
    "OnlineTrainingOptions",
    "PromptOptions",
    "PromptSet",
]
