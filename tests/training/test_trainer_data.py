"""What the trainer says of its data: rows that it cannot read, units that a step hardly sees."""

from __future__ import annotations

import pytest
from datasets import Dataset
from language_models import pairs

from surefoot.data import Preferences
from surefoot.errors import CompositionError, DataError
from surefoot.objectives import Objective
from surefoot.training.language.pairs import TrainingPairs

pytestmark = pytest.mark.filterwarnings("ignore")
OVER_GROUPS = {
    "labels": {"kind": "flip-corrected", "flip_rate": 0.2},
    "risk": {"kind": "cvar", "level": 0.5, "unit": "group"},
}


def _rows(count, broken):
    return [
        {"prompt": f"help {i}", "chosen": "good", "rejected": None if i in broken else "bad word"}
        for i in range(count)
    ]


@pytest.mark.parametrize("table", [False, True])
def test_rows_that_cannot_be_read_are_counted_and_named(trained, table):
    rows = _rows(24, broken=[3])
    given = Dataset.from_list(rows) if table else rows
    told = r"train_dataset: 1 of 24 rows could not be read and are left out \(row 4: .*rejected.*"
    with pytest.warns(UserWarning, match=told):
        trainer = trained(data=given, eval_data=_rows(20, broken=[0]), train=False)
    assert len(trainer.pairs) == 23
    assert any("1 of 20 rows could" in note for note in trainer.eval_pairs[""].notes)


def test_too_many_rows_that_cannot_be_read_are_an_error(trained):
    with pytest.raises(
        DataError, match=r"(?s)6 of 16 rows \(37.5%\).*the column 'rejected' is null"
    ):
        trained(data=_rows(16, broken=range(3, 9)), train=False)


def test_what_was_not_read_of_the_rows_is_a_warning(trained):
    rows = [row | {"margin": 1.5} for row in _rows(4, broken=[])]
    with pytest.warns(UserWarning, match="column 'margin' was not read"):
        trained(data=rows, train=False)


def test_who_reads_the_data_knows_it(trained):
    """As a run does, whose damage report names them."""
    assert not trained(data=_rows(4, broken=[]), train=False).pairs.notes
    rows = Preferences.from_rows(pairs(4))
    assert not trained(data=rows, train=False).pairs.notes


def _many(count):
    return pairs(count, group=["x", "y", "z"])


def test_a_signed_correction_needs_large_units_in_a_step(trained):
    """Groups of 40 pairs, of which a step of 12 sees 4: the supremum picks their noise."""
    with pytest.raises(CompositionError) as refusal:
        trained(data=_many(120), objective=OVER_GROUPS, per_device_train_batch_size=12, train=False)
    told = "groups of which the smallest has 4 pair(s) in a step of 12, on average"
    assert told in str(refusal.value)
    whole = {"per_device_train_batch_size": 30, "gradient_accumulation_steps": 4}
    trained(data=_many(120), objective=OVER_GROUPS, **whole, train=False)
    with pytest.raises(CompositionError, match="smallest has 20 pair"):
        trained(
            data=_many(120), objective=OVER_GROUPS, **whole | {"gradient_accumulation_steps": 3}
        )


def test_an_evaluation_is_one_step(trained):
    objective = OVER_GROUPS | {"labels": "smoothed"}
    trainer = trained(data=_many(12), eval_data=_many(6), objective=objective, train=False)
    assert trainer.evaluate()["eval_loss"] > 0


@pytest.mark.parametrize(("size", "outcome"), [(31, None), (29, "smallest has 29 pair")])
def test_prompts_are_whole_in_a_step(size, outcome, trained):
    """However few pairs it has room for."""
    rows = [row | {"prompt": f"prompt {i // size}"} for i, row in enumerate(pairs(2 * size))]
    objective = OVER_GROUPS | {"risk": OVER_GROUPS["risk"] | {"unit": "prompt"}}
    options = {"data": rows, "objective": objective, "train": False}
    if outcome is None:
        trained(**options)
        return
    with pytest.raises(CompositionError, match=outcome) as refusal:
        trained(**options)
    assert "in a step" not in str(refusal.value).split(". ")[1]


def test_without_steps_a_unit_is_as_large_as_in_the_data(trained):
    tokenizer = trained(train=False).processing_class
    made = TrainingPairs.of(_many(120), tokenizer, Objective(**OVER_GROUPS), "rewards", 99)
    assert len(made) == 120
