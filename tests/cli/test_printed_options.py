"""`surefoot options` prints every option with its default and its help."""

from __future__ import annotations

import sys

import pytest

from surefoot.cli import main
from surefoot.cli.options import sections
from surefoot.objectives import Risk


@pytest.fixture
def printed(monkeypatch, capsys):
    def run(*arguments, expect=0):
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(sys, "argv", ["surefoot", "options", *arguments])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        found = capsys.readouterr()
        assert code == expect, found.err
        return found.out + found.err

    return run


def test_the_help_of_train_lists_them_all(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["surefoot", "train", "--help"])
    with pytest.raises(SystemExit):
        main()
    said = " ".join(capsys.readouterr().out.split())
    for name, cls in sections().items():
        slot, _, kind = name.partition(": ")
        if name in ("data", "objective", "training", "scorer: policy", "scorer.encoder"):
            assert f"{name}: {', '.join(cls.model_fields)}" in said
        if slot == "objective.risk":
            assert kind in said


def test_every_section_and_every_option_in_it(printed):
    names = printed().splitlines()
    for name, cls in sections().items():
        assert name in names
        text = " ".join(printed(name).split())
        for option, field in cls.model_fields.items():
            assert f"{option} (" in text
            assert " ".join(field.description.split()) in text


def test_the_beginning_of_a_name_prints_its_kinds(printed):
    text = printed("objective.risk")
    for kind in Risk.registry:
        assert f"objective.risk: {kind}\n" in text
    assert "scorer" not in text


def test_defaults_are_those_of_a_configuration(printed):
    text = printed("objective")
    assert "loss (default: logistic)" in text
    assert "train (must be given)" in printed("data")


def test_an_unknown_section_names_the_nearest(printed):
    assert "did you mean 'training'?" in printed("trainning", expect=2)
