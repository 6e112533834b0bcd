"""A topic that training lacks, as the distance to the nearest training prompt shows it."""

from __future__ import annotations

from dataclasses import replace

from surefoot.worlds.planted import missing_topic

FAULT = replace(
    missing_topic.FAULT,
    name="prompts without a neighbour in training",
    diagnostic="coverage",
    surely=0.3,  # some topics lie near another one
)
