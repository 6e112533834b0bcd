"""Members of a user's own package: they join where they are named, and nowhere else."""

from __future__ import annotations

import json
import sys
from importlib import invalidate_caches

import numpy as np
import pytest
import torch
from language_models import byte_tokenizer

from surefoot import cli, columns, plugins
from surefoot.data import Preferences, read_preferences
from surefoot.data.checks import check
from surefoot.data.sources import cache
from surefoot.data.writing import write_preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.evaluation.suites import load_suite, suites
from surefoot.objectives import LabelModel, MarginLoss, Objective, Regulariser, Risk
from surefoot.options import Member
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer, Head, load_scorer
from surefoot.training import RunConfig
from surefoot.training.language.pairs import TrainingPairs
from surefoot.training.manifest import manifest

SLOTS = (MarginLoss, LabelModel, Risk, Regulariser, Head)

#: One member of each kind, as small as they get: a built-in one under another name.
EVERYTHING = '''
from surefoot.data.readers import CARRIED, Reader, get
from surefoot.data.readers.chosen_rejected import chosen_first
from surefoot.evaluation.suite import Part, Suite, numbered, pair
from surefoot.objectives.label_models.smoothed import Smoothed
from surefoot.objectives.margin_losses.logistic import Logistic
from surefoot.objectives.regularisers.reward_centring import RewardCentring
from surefoot.objectives.risks.cvar import CVaR
from surefoot.scorers.heads.linear import Linear

class MyLoss(Logistic, kind="my-loss"):
    """psi(m) = log(1 + e^-m)."""

class MyLabels(Smoothed, kind="my-labels"):
    """L = smoothed."""

class MyRisk(CVaR, kind="my-risk"):
    """R = CVaR."""

class MyRegulariser(RewardCentring, kind="my-regulariser"):
    """(r_a + r_b)^2."""

class MyHead(Linear, kind="my-head"):
    """A linear head."""

def rows(record):
    prompt, won = get(record, "mine", "prompt"), get(record, "won", "response_a")
    yield chosen_first(record, prompt, won, get(record, "lost", "response_b"))

READER = Reader(
    name="mine", accepts="mine, won, lost", columns=("mine", "won", "lost", *CARRIED),
    recognises=lambda names, _: names >= {"mine", "won", "lost"}, rows=rows,
    example={"mine": "p", "won": "x", "lost": "y"}, rank=9,
)

def said_twice(context):
    """Nothing, of any row."""
    yield from context.finding("my-finding", "note", context.preferences.labels >= 0, "-", "-")

CHECKS = (said_twice,)

SUITE = Suite(
    name="my-suite", description="d", origin="o@1", licence="CC0",
    parts={"one": Part("mine.jsonl")},
    rows=lambda records: (pair(r["p"], r["x"], r["y"]) for _, _, r in numbered(records)),
)
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a module of a name that can be imported, and forgets it afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = {slot: dict(slot.registry) for slot in SLOTS}
    modules, declared = set(sys.modules), dict(columns.DECLARED)

    def write(name: str, text: str):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        invalidate_caches()
        plugins._offers_on.cache_clear()
        return path

    yield write
    for slot, registry in before.items():
        slot.registry.clear()
        slot.registry.update(registry)
    columns.DECLARED.clear()
    columns.DECLARED.update(declared)
    plugins._loaded.clear()
    plugins.modules_of.cache_clear()
    for name in set(sys.modules) - modules:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("as_package", [False, True])
def test_every_kind_of_member_joins(package, tmp_path, as_package):
    package("mine/everything.py" if as_package else "mine.py", EVERYTHING)
    if as_package:
        package("mine/__init__.py", "")
        package("mine/_private.py", "raise RuntimeError")
    plugins.load("mine")
    for slot, kind in zip(SLOTS, ("loss", "labels", "risk", "regulariser", "head"), strict=True):
        assert f"my-{kind}" in slot.registry
    (tmp_path / "data.jsonl").write_text('{"mine": "Why?", "won": "Because.", "lost": "No."}\n')
    pairs = read_preferences(tmp_path / "data.jsonl")
    assert pairs.readings[0].form == "mine"
    assert check(pairs).of("my-finding").count == 1
    (tmp_path / "mine.jsonl").write_text('{"p": "p", "x": "x", "y": "y"}')
    assert len(load_suite("my-suite", tmp_path)) == 1


def test_a_member_is_written_with_its_plugin_and_read_back(package):
    package("mine.py", EVERYTHING)
    plugins.load("mine")
    written = Objective(loss="my-loss", risk={"kind": "my-risk", "level": 0.5}).model_dump()
    assert written["loss"] == {"kind": "my-loss", "plugin": "mine"}
    assert "plugin" not in written["labels"]
    assert Objective(**written).model_dump() == written
    assert manifest({}, {}, 0)["plugins"] == ["mine"]  # readers have no other place
    given = {"data": {"train": "x"}, "output": "y", "objective": written}
    assert RunConfig(**given).objective == Objective(**written)


def test_what_an_installed_package_offers_is_imported_where_it_is_named(package):
    package("offered.py", EVERYTHING)
    package("offered-1.0.dist-info/METADATA", "Name: offered\nVersion: 1.0\n")
    package(
        "offered-1.0.dist-info/entry_points.txt",
        f"[{plugins.GROUP}]\nmy-loss = offered\nmy-suite = offered\nbad = absent\n",
    )
    assert "my-suite" not in suites()
    assert MarginLoss.parse("hinge").kind == "hinge"
    assert "offered" not in sys.modules
    with pytest.raises(ConfigurationError, match="unknown risk 'my-risk'"):  # it is not offered
        Risk.parse("my-risk")
    assert "offered" not in sys.modules
    assert Objective(loss="my-loss").model_dump()["loss"]["plugin"] == "offered"
    assert plugins.loaded() == ("offered",)
    with pytest.raises(ConfigurationError, match=r"'bad' cannot be imported .*absent"):
        MarginLoss.parse("bad")


@pytest.mark.parametrize("plugin", ["os", 5, None])
def test_a_member_of_another_plugin_is_not_taken(package, plugin):
    package("mine.py", EVERYTHING)
    plugins.load("mine")
    for kind, of in (("hinge", "surefoot itself"), ("my-loss", "mine")):
        with pytest.raises(ConfigurationError, match=f"{kind!r} is of {of}; got the plugin"):
            MarginLoss.parse({"kind": kind, "plugin": plugin})


def test_a_module_of_an_offered_package_is_offered(package):
    package("offered/losses.py", EVERYTHING)
    package("offered/__init__.py", "")
    package("offered-1.0.dist-info/METADATA", "Name: offered\nVersion: 1.0\n")
    named = f"[{plugins.GROUP}]\nmy-loss = offered\n"
    package("offered-1.0.dist-info/entry_points.txt", named)
    saved = {"kind": "my-loss", "plugin": "offered.losses"}
    assert MarginLoss.parse(saved).model_dump() == saved


def _forget(slot: type[Member], kind: str, module: str) -> None:
    """As in a process that has not been told of it."""
    del slot.registry[kind], sys.modules[module]
    plugins._loaded.clear()
    plugins.modules_of.cache_clear()


def test_a_saved_run_is_refused_by_the_name_of_its_absent_plugin(
    package, tmp_path, rows, small_encoder, monkeypatch
):
    module = package(
        "mine.py",
        "from surefoot.objectives.margin_losses.logistic import Logistic\n"
        'class MyLoss(Logistic, kind="my-loss"):\n    """psi(m) = log(1 + e^-m)."""\n',
    )
    plugins.load("mine")
    scorer = EmbeddingScorer(encoder=small_encoder, head={"kind": "linear", "l2": 0.1})
    model = EmbeddingRewardModel(scorer, Objective(loss="my-loss"))
    data = Preferences.from_rows(rows(30))
    run = tmp_path / "run"
    model.fit(data).save(run)
    expected = model.rewards(data)
    _forget(MarginLoss, "my-loss", "mine")
    (run / "mine.py").write_text(module.read_text())  # not even what lies in the run itself
    monkeypatch.chdir(run)
    monkeypatch.syspath_prepend("")
    with pytest.raises(ConfigurationError, match=r"run needs the plugin 'mine'.*--plugin mine"):
        load_scorer(run)
    assert "mine" not in sys.modules
    sys.path.remove("")
    plugins.load("mine")
    assert load_scorer(run).rewards(data) == pytest.approx(expected)


def test_what_a_plugin_reads_is_read_anew_when_it_changes(package):
    before = cache.code_digest()
    path = package("mine.py", "READER_OF = 1\n")
    plugins.load("mine")
    between = cache.code_digest()
    path.write_text("READER_OF = 2\n")
    cache._digest.cache_clear()  # of this process; another has none
    assert len({before, between, cache.code_digest()}) == 3


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("joined", [False, True])
def test_the_command_line_takes_plugins_anywhere(
    package, tmp_path, capsys, monkeypatch, place, joined
):
    package("mine.py", EVERYTHING)
    (tmp_path / "data.jsonl").write_text('{"mine": "Why?", "won": "Because.", "lost": "No."}\n')
    words = ["audit", str(tmp_path / "data.jsonl")]
    words[place:place] = ["--plugin=mine"] if joined else ["--plugin", "mine"]
    monkeypatch.setattr(sys, "argv", ["surefoot", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert "my-finding" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--plugin"], "--plugin needs the name of a module"),
        (["audit", "x.jsonl", "--plugin", "--output"], "--plugin needs the name of a module"),
        (["audit", "x.jsonl", "--plugin", "no_such_module"], "no_such_module"),
        (["audit", "x.jsonl", "--plugin", "broken"], "ZeroDivisionError"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_one_message(package, capsys, monkeypatch, words, said):
    package("broken.py", "1 / 0\n")
    monkeypatch.setattr(sys, "argv", ["surefoot", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert said in told.out + told.err
    assert "Traceback" not in told.out + told.err


def test_names_that_stand_twice_are_refused(package):
    package("mine.py", EVERYTHING.replace('"my-suite"', '"xstest"'))
    plugins.load("mine")
    with pytest.raises(ConfigurationError, match="two suites are named 'xstest'"):
        suites()
    columns.Column(name="sure", low=0.1)
    assert columns.Column(name="sure", low=0.1)  # declared alike
    with pytest.raises(ConfigurationError, match="two columns are named 'sure'"):
        columns.Column(name="sure", low=0.2)
    with pytest.raises(ConfigurationError, match="example of column 'far' is outside"):
        columns.Column(name="far", low=0.6)


def test_plugins_that_are_named_inside_are_found():
    given = {"scorer": {"kind": "x", "parts": [{"kind": "y", "plugin": "no_such_module"}]}}
    with pytest.raises(ConfigurationError, match="'no_such_module'"):
        plugins.require(json.loads(json.dumps(given)))
    plugins.require({"plugin": "a setting of another thing"})


#: Labels as sure as a column says, which nothing of surefoot's own reads.
CONFIDENCE = '''
from surefoot.objectives import Column, LabelModel
from surefoot.objectives.label_model import LabelProperties, expected_loss

SURE = Column(name="sure", low=0.5, high=1.0, example=0.8)

class Sure(LabelModel, kind="sure"):
    """L = c l(y) + (1 - c) l(1 - y)."""

    properties = LabelProperties(threat="flipped labels", columns=(SURE,))

    def __call__(self, psi, margins, reference_margins, evidence):
        c, y = evidence.of(SURE), evidence.label
        return expected_loss(psi, margins, c * y + (1 - c) * (1 - y))
'''


@pytest.fixture
def sure(package, rows):
    """Comparisons with a declared column, and the soft labels that it amounts to."""
    package("sure.py", CONFIDENCE)
    plugins.load("sure")
    given = [row | {"sure": 0.6 + 0.03 * (i % 13)} for i, row in enumerate(rows(40))]
    pairs = Preferences.from_rows(given)
    c, y = pairs.numbers("sure"), pairs.labels
    return pairs, pairs.with_labels(c * y + (1 - c) * (1 - y))


def test_a_declared_column_reaches_the_heads(sure, small_encoder):
    """Cross-validation cuts it, too."""
    scorer = EmbeddingScorer(encoder=small_encoder)
    pairs, soft = sure
    found = EmbeddingRewardModel(scorer, Objective(labels="sure")).fit(pairs)
    expected = EmbeddingRewardModel(scorer).fit(soft)
    assert found.rewards(pairs) == pytest.approx(expected.rewards(pairs), abs=1e-5)


def test_a_declared_column_reaches_the_steps_of_language_models(sure):
    pairs, soft = sure
    made, plain = (
        TrainingPairs.of(data, byte_tokenizer(), objective, "rewards", 512)
        for data, objective in ((pairs, Objective(labels="sure")), (soft, Objective()))
    )
    rows = np.array([7, 3, 20])
    step, theirs = made.step(rows), plain.step(rows)
    margins = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    losses = Objective(labels="sure").pair_losses(margins, step.evidence)
    torch.testing.assert_close(losses, Objective().pair_losses(margins, theirs.evidence))
    moved = pairs.select(range(40)).with_columns(numbers=pairs.strings("numbers")[::-1])
    other = TrainingPairs.of(moved, byte_tokenizer(), Objective(labels="sure"), "rewards", 512)
    assert other.key != made.key  # so that --resume notices


def test_a_declared_column_is_needed_in_every_row_and_in_its_range(sure, tmp_path, small_encoder):
    pairs, _ = sure
    numbers = [None, *pairs.strings("numbers")[1:]]
    model = EmbeddingRewardModel(EmbeddingScorer(encoder=small_encoder), Objective(labels="sure"))
    with pytest.raises(DataError, match="'sure' is null in 1 of 40"):
        model.fit(pairs.with_columns(numbers=numbers))
    write_preferences(pairs, tmp_path / "pairs.jsonl")
    again = read_preferences(tmp_path / "pairs.jsonl")
    assert again.numbers("sure").tolist() == pairs.numbers("sure").tolist()
    text = (tmp_path / "pairs.jsonl").read_text().replace('"sure": 0.6}', '"sure": 1.6}')
    (tmp_path / "far.jsonl").write_text(text)
    far = read_preferences(tmp_path / "far.jsonl", max_unusable=1)
    assert "'sure' was left out" in " ".join(far.readings[0].notes) or far.faults


def test_a_declared_column_of_votes_that_are_taken_together_is_warned_of(sure, tmp_path):
    votes = [{"annotator": who, "sure": c} for who, c in (("ann", 0.9), ("bob", 0.6))]
    pair = {"prompt": "Why?", "chosen": "Because.", "rejected": "No."}
    path = tmp_path / "votes.jsonl"
    path.write_text("".join(json.dumps(pair | vote) + "\n" for vote in votes))
    found = read_preferences(path)
    assert found.numbers("sure").tolist() == [0.9]
    assert "column 'sure' of votes that were taken together" in " ".join(found.readings[0].warnings)
