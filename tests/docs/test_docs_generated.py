"""What the documentation says of the code is what the code says."""

import ast
import io
import re
import tokenize

import pytest
from surefoot_docs import docstrings, pages, refreshed, write
from surefoot_docs import texts as generated_texts
from surefoot_docs.api import PACKAGES
from surefoot_docs.compositions import SCORERS, regularised
from surefoot_docs.markdown import document, prose, table
from surefoot_docs.members import split_equation
from surefoot_docs.registries import THREATS, threats_of

from surefoot.data.checks import checks
from surefoot.data.readers import readers
from surefoot.errors import CompositionError
from surefoot.evaluation.suites import suites
from surefoot.objectives import LabelModel, MarginLoss, Objective, Regulariser, Risk, enforce
from surefoot.scorers import Head, Scorer
from surefoot.training import LanguageTrainingOptions


@pytest.fixture(scope="module")
def texts():
    return generated_texts()


def cells(text):
    """A table as {(row, column): cell}, and the numbered reasons below it."""
    lines = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    found = {
        (row[0].strip("`"), column): cell
        for row in lines[2:]
        for column, cell in zip(lines[0][1:], row[1:], strict=True)
    }
    reasons = dict(re.findall(r"^(\d+)\. \*\w+\*: (.*)$", text, re.MULTILINE))
    return found, reasons


def outcome(**members):
    """What constructing the objective really does: its outcome and a reason."""
    try:
        Objective(**members)
    except CompositionError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("base", "name"),
    [
        (MarginLoss, "margin-losses"),
        (LabelModel, "label-models"),
        (Risk, "risks"),
        (Regulariser, "regularisers"),
    ],
)
def test_every_member_has_its_equation_source_and_link(texts, base, name):
    for kind in base.registry:
        (row,) = (li for li in texts[f"{name}"].splitlines() if f"(methods/{kind}.md)" in li)
        _, _, equation, answers, source, _ = re.split(r"(?<!\\)\|", row)
        assert equation.strip(" `"), f"{kind} has no equation in its docstring"
        assert answers.strip()
        assert source.strip()


def test_every_section_of_a_configuration_has_its_options(texts):
    text = texts["configuration"]
    for cls in (*Head.registry.values(), *Scorer.registry.values(), LanguageTrainingOptions):
        for option in cls.model_fields:
            assert f"| `{option}` |" in text
    for kind in (*Head.registry, *Scorer.registry):
        assert re.search(rf"^## `.*: {kind}`$", text, re.MULTILINE)


def test_the_table_of_regularisers_and_scorers_is_what_happens(texts):
    found, reasons = cells(texts["regularisers-by-scorers"])
    assert {kind for kind, _ in found} == set(Regulariser.registry)
    for (kind, column), cell in found.items():
        objective = regularised(kind)
        error = None
        try:
            enforce(objective, SCORERS[column])
        except CompositionError as refused:
            error = str(refused)
        assert cell.startswith("**refused**") == (error is not None), (kind, column)
        if error:
            assert any(reasons[number] in error for number in re.findall(r"\d+", cell))
    fitting = {"rewards": "reward model", "token sums": "policy"}
    heads = "a head on frozen embeddings"
    for kind, cls in Regulariser.registry.items():
        assert found[kind, fitting[cls.needs]] == "allowed"
        assert (found[kind, heads] == "allowed") == cls.of_linear_heads


def test_members_are_the_remedies_that_they_declare(root, texts):
    page = (root / "docs" / "threats.md").read_text()
    assert all(f"<!-- generated: remedies_{threat} -->" in page for threat in THREATS)
    answering = set()
    for slot in (MarginLoss, LabelModel, Risk, Regulariser):
        for kind, cls in slot.registry.items():
            assert threats_of(cls) <= set(THREATS)
            answering |= {kind} if threats_of(cls) else set()
            for threat in THREATS:
                named = f"(methods/{kind}.md)" in texts[f"remedies_{threat}"]
                assert named == (threat in threats_of(cls))
    declared = {kind for kind, cls in LabelModel.registry.items() if cls.properties.threat}
    declared |= {k for k, cls in Risk.registry.items() if cls.properties.direction != "none"}
    assert declared | set(Regulariser.registry) <= answering


def test_the_table_of_labels_and_risks_is_what_happens(texts):
    found, reasons = cells(texts["labels-by-risks"])
    assert {labels for labels, _ in found} == set(LabelModel.registry)
    for (labels, column), cell in found.items():
        risk, unit = re.fullmatch(r"`(.+)` over (pair|group)s", column).groups()
        error = outcome(labels=labels, risk={"kind": risk, "unit": unit})
        assert cell.startswith("**refused**") == (error is not None), (labels, column)
        if error:
            assert any(reasons[number] in error for number in re.findall(r"\d+", cell))


def test_the_table_of_losses_and_labels_is_what_happens(texts):
    found, reasons = cells(texts["losses-by-labels"])
    assert {loss for loss, _ in found} == set(MarginLoss.registry)
    for (loss, column), cell in found.items():
        error = outcome(loss=loss, labels=column.strip("`"))
        assert cell.startswith("**refused**") == (error is not None), (loss, column)
        if error:
            assert any(reasons[number] in error for number in re.findall(r"\d+", cell))


def test_every_suite_reader_and_check_is_listed(texts):
    for suite in suites().values():
        assert f"## `{suite.name}`" in texts["suites"]
        assert suite.licence in texts["suites"]
    for reader in readers():
        assert f"| {reader.name} |" in texts["readers"]
    for check in checks():
        assert f"| {check.__name__.replace('_', ' ')} |" in texts["checks"]


def test_coverage_is_copied_from_the_docstrings(texts):
    from surefoot.statistics import intervals

    rows = [line for line in intervals.__doc__.splitlines() if line.count("0.9") >= 3]
    assert len(rows) > 5
    for row in rows:
        assert row.strip() in texts["coverage-intervals"]


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.stem)
def test_the_generated_parts_of_a_page_are_fresh(path, texts):
    page = path.read_text()
    assert page.count("<!-- generated: ") == page.count("<!-- end -->")
    assert page == refreshed(page, texts), "write them anew with: python docs/_ext/refresh.py"


def test_generated_parts_stand_in_lines_of_their_own_or_inside_a_sentence():
    page = "<!-- generated: a -->\nold\n<!-- end -->\n\nAll <!-- generated: b -->of<!-- end -->"
    fresh = "<!-- generated: a -->\n\n1\n\n<!-- end -->\n\nAll <!-- generated: b --> 2 <!-- end -->"
    assert refreshed(page, {"a": "1\n", "b": "2"}) == fresh
    assert refreshed(fresh, {"a": "1\n", "b": "2"}) == fresh


def test_writing_removes_what_is_no_longer_made_and_leaves_the_rest(tmp_path):
    write(tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.md")}
    (tmp_path / "old.md").write_text("gone")
    write(tmp_path)
    assert not (tmp_path / "old.md").exists()
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.md")} == before


@pytest.mark.parametrize(
    ("text", "equation", "rest"),
    [
        (
            "psi(m) = max(0, 1 - m): no reward\nbeyond.",
            "psi(m) = max(0, 1 - m)",
            "No reward beyond.",
        ),
        ("L = a where b.", "L = a where b", ""),
        ("Not an equation: words.", "", "Not an equation: words."),
    ],
)
def test_split_equation(text, equation, rest):
    assert split_equation(text) == (equation, rest)


def test_markdown_of_docstrings():
    def thing():
        """See :func:`~a.b.c` (2305.18290).

        Measured:

            x   1
            y   2

        Args:
            none: nothing.
        """

    assert document(thing) == (
        "See `c` ([arXiv 2305.18290](https://arxiv.org/abs/2305.18290)).\n\nMeasured:\n\n"
        "```text\nx   1\ny   2\n```"
    )
    assert prose("a\n  b") == "a b"
    assert table(["a"], [["x|y\nz"]]).splitlines()[2] == "| x\\|y z |"


def test_docstrings_for_sphinx():
    lines = ["`code` and |m|:", "", "    `as` printed", "", "Attributes:", "    low, high: ends."]
    assert docstrings.adapted(lines) == [
        "``code`` and \\|m\\|::",
        "",
        "    `as` printed",
        "",
        "Attributes:",
        "    low/high: ends.",
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_said_of_an_attribute_is_on_the_site(root, package):
    """Sphinx reads comments that begin with `#:`, and no others."""
    unread = []
    for path in (root / "src" / "surefoot" / package).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        plain = {one.start[0] for one in tokens if one.string.startswith("# ")}
        plain -= {n for n, line in enumerate(text.splitlines(), 1) if "# type: ignore" in line}
        unread += [
            f"{path.name}: {cls.name}.{ast.unparse(one.target)}"
            for cls in ast.walk(ast.parse(text))
            if isinstance(cls, ast.ClassDef)
            for one in cls.body
            if isinstance(one, ast.AnnAssign) and one.end_lineno in plain
        ]
    assert unread == []
