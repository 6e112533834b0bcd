"""Whatever data, names and messages hold: nothing of it acts on a terminal, a page or a table."""

from __future__ import annotations

import ast
import io
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

import surefoot
from surefoot import cli
from surefoot.cli.console import Terminal
from surefoot.errors import DataError, SurefootError, unknown_name
from surefoot.escaping import excerpt, fenced, json_document, markdown, visible, warn

#: Sets a clipboard, colours, a title; turns the direction; hides; C1 controls; markup; Markdown.
HOSTILE = (
    "\x1b]52;c;Zm9v\x07 \x1b[31mred \x9b2J \x1b]0;title\x1b\\ \u202eevil\u2066\u200b\u200f "
    "\x00\x08\r"
    "[bold red]x[/] | cell <script>alert(1)</script> <b>b</b> [a](http://evil.test) ![i](j) "
    "https://evil.test `` ` ```\n# heading\n- item\n---\n\U000e0041 \u2028 :smile: $x$ &lt; \\"
)
NEVER = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)

anything = st.text(st.characters(codec=None), max_size=60) | st.lists(
    st.sampled_from([*HOSTILE, "](", "``", "`a`", "<x>", "www.", "| "]), max_size=30
).map("".join)


def assert_inert(text: str) -> None:
    assert not NEVER.search(text), repr(NEVER.search(text))
    text.encode()  # no half of a surrogate pair


@given(anything)
def test_what_is_shown_hides_nothing_and_is_shown_once(text):
    shown = visible(text)
    assert_inert(shown)
    assert visible(shown) == shown
    if text.isascii() and text.replace("\n", "").isprintable():
        assert shown == text


def test_scripts_and_emoji_are_left_alone():
    for text in ("naïve", "日本語", "مرحبا", "नमस्ते", "क्‍ष", "👩‍👩‍👧", "می‌خواهم", "a\u00a0b", "é"):
        assert visible(text) == text


@given(anything, st.booleans())
def test_a_terminal_gets_its_own_escapes_only(text, coloured):
    def printed(shown: str) -> str:
        stream = io.StringIO()
        terminal = Terminal(
            file=stream, force_terminal=coloured, width=40, color_system=None, legacy_windows=False
        )
        table = Table(title=shown)
        table.add_column(shown)
        table.add_row(shown)
        for one in (shown, Text(shown), Text.assemble((shown, "bold")), table):
            terminal.print(one)
        return re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue()) if coloured else stream.getvalue()

    assert_inert(printed(text))
    assert "[red]x[/red] :smile:" in printed("[red]x[/red] :smile:")


@given(anything)
def test_markdown_is_one_inert_line(text):
    line = markdown(text)
    assert_inert(line)
    assert "\n" not in line
    plain = re.sub(r"(?<!`)`[^`]+`(?!`)", "", re.sub(r"\\.", "E", line))  # what a renderer reads
    for active in ("<", "|", "](", "][", "]:", "`", "*", "~", "http:", "https:", "www.", "@", "$"):
        assert active not in plain, (active, line)
    assert not re.match(r"#|>|=|[-+]\s|\d+[.)]\s", line)
    assert not re.search(r"(?<!\\)\|", re.sub(r"\\\\", "", line))  # of cells, in code too


@given(anything)
def test_a_block_of_code_is_closed_by_its_own_fence(text):
    lines = fenced(text, "yaml").split("\n")
    fence = lines[-1]
    assert set(fence) == {"`"}
    assert lines[0] == f"{fence}yaml"
    assert not any(re.match(rf" {{0,3}}{fence}`*\s*$", line) for line in lines[1:-1])


@given(st.dictionaries(anything, anything, max_size=4))
def test_json_means_the_same_and_hides_nothing(content):
    document = json_document(json.dumps(content, ensure_ascii=False, indent=1))
    assert_inert(document)
    assert json.loads(document) == content


@given(anything)
def test_messages_of_errors_hide_nothing(text):
    for error in (
        SurefootError(text),
        DataError(f"{text}: {unknown_name('column', text, [text])}"),
    ):
        assert_inert(str(error))
    assert_inert(excerpt(text))
    assert len(excerpt(text, 40)) < 500


def test_warnings_hide_nothing_and_name_the_line_that_caused_them():
    with pytest.warns(UserWarning, match="evil") as caught:
        warn(HOSTILE)
    assert_inert(str(caught[0].message))
    assert caught[0].filename == __file__


class _Seen(HTMLParser):
    """Elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.handlers += [name for name, _ in attributes if name.startswith("on")]


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    """Runs a command in this process; returns exit code and what it printed, checked."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, width: str = "200") -> tuple[int, str]:
        monkeypatch.setenv("COLUMNS", width)
        monkeypatch.setattr(sys, "argv", ["surefoot", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capfd.readouterr()
        for stream in (told.out, told.err):
            assert_inert(re.sub(r"\r(?=\S| *\d|\r)|\x1b\[A", "", stream))
            assert "Traceback" not in stream
        return int(ended.value.code or 0), told.out + told.err

    return run


def hostile_rows(n: int) -> list[dict]:
    return [
        {
            "prompt": f"{HOSTILE[:30]} question {i % 20}",
            "response_a": f"{HOSTILE[:30]} good help {i}" if i % 7 else f"same {HOSTILE}",
            "response_b": f"bad {HOSTILE[:20]} harm {i}" if i % 7 else f"same {HOSTILE}",
            "label": int(i % 3 > 0),
            "group": f"group {i % 2} {HOSTILE}",
            "source": f"source {i % 2} {HOSTILE}",
            "id": f"{i} {HOSTILE}",
            f"unknown {HOSTILE}": "x",
        }
        | ({} if i % 40 else {"response_b": [{HOSTILE: HOSTILE}]})  # a row that cannot be used
        for i in range(n)
    ]


def assert_files_inert(folder: Path) -> None:
    """Every text that a command wrote: no control but the end of a line, nothing that acts."""
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert written
    for path in written:
        assert re.fullmatch(r"[\w./-]+", str(path.relative_to(folder)))
        if path.suffix not in (".md", ".html", ".json", ".yaml") and path.name != "rows.jsonl":
            continue
        text = path.read_text(encoding="utf-8")
        assert_inert(text)
        if path.suffix == ".html":
            page = _Seen()
            page.feed(text)
            assert "script" not in page.tags or text.count("<script") == text.count("<script>\n")
            assert "<script>alert" not in text
            assert page.handlers == []
            assert "evil.test)" not in re.sub(r"\[a\]\(http://evil.test\)", "", text)
        if path.name == "README.md":
            _assert_card_inert(text)


def _assert_card_inert(card: str) -> None:
    body = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", card)  # without blocks of code
    assert "```" not in body.replace("\\`", "")
    plain = re.sub(r"(?<!`)`[^`\n]+`(?!`)", "", re.sub(r"\\.", "", body))
    for active in ("<", "](", "http:", "$"):
        assert active not in plain
    assert body.count("\n# ") == 1  # its own heading
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in body.splitlines() if line[:1] == "|"}
    assert widths == {3}


def test_hostile_data_through_every_command(command, tmp_path, small_encoder):
    data = tmp_path / "data"
    data.mkdir()
    place = data / f"h{HOSTILE.replace('/', '_').replace(chr(0), '')[:60]}.jsonl"
    place.write_text("".join(json.dumps(row) + "\n" for row in hostile_rows(120)))
    short, name = data / "short.jsonl", str(place)
    short.write_text("".join(json.dumps(row) + "\n" for row in hostile_rows(60)))
    code, told = command("audit", name, "--against", str(short), "--output", "audit")
    assert code == 0
    assert "evil" in told  # it is shown, not dropped

    config = {
        "data": {"train": [name], "held_out": 0.3},
        "scorer": {"kind": "embedding", "encoder": {"name": small_encoder}},
        "objective": {"risk": {"kind": "cvar", "level": 0.5, "unit": "group"}},
    }
    for run in ("a", "b"):
        (data / f"{run}.yaml").write_text(yaml.safe_dump(config | {"output": f"runs/{run}"}))
        code, told = command("train", str(data / f"{run}.yaml"))
        assert code == 0, told
    assert "evil" in told
    code, told = command("evaluate", "runs/a", name, "--baseline", "runs/b", "--output", "report")
    assert code == 0, told
    code, told = command("score", "runs/a", name, "--output", "scores.jsonl", width="60")
    assert code == 0, told
    for folder in ("audit", "runs", "report"):
        assert_files_inert(tmp_path / folder)


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", f"nowhere{HOSTILE}"[:80].replace("\0", "")],
        ["audit", "d.jsonl", "--column", f"prompt={HOSTILE}".replace("\0", "")],
        ["audit", "d.jsonl", f"--{HOSTILE}".replace("\0", "")],
        [f"command {HOSTILE}".replace("\0", "")],
        ["audit", "d.jsonl", "--max-length", HOSTILE.replace("\0", "")],
        ["train", "c.yaml"],
        ["train", "c.yaml", f"--objective.{HOSTILE}".replace("\0", ""), "1"],
        ["evaluate", HOSTILE.replace("\0", ""), "d.jsonl", "--output", "o"],
        ["score", "x", "d.jsonl", "--output", "o"],
    ],
)
def test_hostile_names_in_messages(command, tmp_path, arguments):
    row = {f"prompt {HOSTILE}": "p", "response_a": "x", "response_b": "y", HOSTILE: 1}
    (tmp_path / "d.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "c.yaml").write_text(json.dumps({HOSTILE: 1, "output": HOSTILE}))
    code, told = command(*arguments)
    assert code == 2
    assert told.count("error:") == 1


def test_what_went_wrong_unexpectedly_is_shown_too(monkeypatch, capsys):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr(cli, "run_command", broken)
    monkeypatch.setattr(sys, "argv", ["surefoot", "audit"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "RuntimeError" in told
    assert_inert(told)


def _calls(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def test_nobody_else_writes_to_a_terminal():
    """Outside of the console: no print, no stream, no console of one's own, no labels from data."""
    root = Path(surefoot.__file__).parent
    found = []
    for path in root.rglob("*.py"):
        place = path.relative_to(root).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node, called in _calls(tree):
            if called in ("print", "input", "typer.echo", "typer.secho", "click.echo", "Console"):
                found.append(f"{place}: {called}")
            if called in ("sys.stdout.write", "sys.stderr.write", "Text.from_markup"):
                found.append(f"{place}: {called}")
            if called == "warnings.warn" and place != "escaping.py":
                found.append(f"{place}: {called}")
            if called.split(".")[-1] in ("tqdm", "trange"):
                found += [
                    f"{place}: a label of a bar that is made"
                    for key in node.keywords
                    if key.arg == "desc" and not isinstance(key.value, ast.Constant | ast.Name)
                ]
        if any(
            isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name == "print"
            for n in ast.walk(tree)
        ):
            found.append(f"{place}: a function of that name")
    assert found == ["cli/app.py: typer.echo"]  # the version


def test_pages_are_made_by_the_escaping_environment_only():
    root = Path(surefoot.__file__).parent
    users = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node, called in _calls(ast.parse(path.read_text(encoding="utf-8")))
        if called in ("Environment", "jinja2.Environment", "Template", "jinja2.Template")
    ]
    assert set(users) <= {"report/page.py", "judge/question.py"}
