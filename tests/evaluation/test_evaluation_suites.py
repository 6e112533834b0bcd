from __future__ import annotations

import functools
import gzip
import http.server
import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surefoot.auditing.preference_material import PreferenceMaterial
from surefoot.data import Preferences
from surefoot.data.readers.hh import dialogue
from surefoot.errors import ConfigurationError, DataError
from surefoot.evaluation.suite import FOLDER_VARIABLE, Part, pair, read_records
from surefoot.evaluation.suites import find_suite, load_suite, rm_bench, suites


def rows_of(name, **records):
    """What a suite's row function makes of the records of its parts."""
    found = list(find_suite(name).rows(records))
    return [r for r in found if isinstance(r, dict)], [r for r in found if not isinstance(r, dict)]


def test_every_file_is_a_suite_with_its_papers():
    folder = Path(rm_bench.__file__).parent
    assert list(suites()) == sorted(one.stem for one in folder.glob("[!_]*.py"))
    for suite in suites().values():
        assert suite.description
        assert suite.licence
        assert "@" in suite.origin
        assert suite.parts
        assert all(p.url.startswith("https://") for p in suite.parts.values() if p.url)
        assert all(part.path.startswith(suite.name) for part in suite.parts.values())


def test_unknown_suite():
    with pytest.raises(ConfigurationError, match="did you mean 'rm_bench'"):
        load_suite("rmbench")


def test_hh_dialogues():
    text = "\n\nHuman: one\n\nAssistant: two\nlines\n\nHuman: three\n\nAssistant: four"
    assert dialogue(text, "chosen") == [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two\nlines"},
        {"role": "user", "content": "three"},
        {"role": "assistant", "content": "four"},
    ]


def test_hh_rows_that_cannot_be_used_are_named():
    good = {"chosen": "\n\nHuman: q\n\nAssistant: x", "rejected": "\n\nHuman: q\n\nAssistant: y"}
    other = {**good, "rejected": "\n\nHuman: p\n\nAssistant: y"}
    empty = {**good, "chosen": "\n\nHuman: q\n\nAssistant: "}
    early = {**good, "rejected": "A note.\n\nHuman: q\n\nAssistant: y"}
    rows, faults = rows_of("hh_rlhf", helpful=[good, other, empty, early], harmless=[good])
    assert [r["source"] for r in rows] == ["helpful", "harmless"]
    assert [(f.row, f.reason) for f in faults] == [
        (1, "the two responses follow different dialogues"),
        (2, "the last turn is empty"),
        (3, "'rejected' does not begin with 'Human:' or 'Assistant:'"),
    ]


def test_positions_are_drawn_by_hash_and_follow_the_preferred_text():
    records = [
        {"source": "s", "prompt": f"q{i}", "chosen": f"c{i}", "rejected": f"r{i}"}
        for i in range(400)
    ]
    rows, _ = rows_of("hhh_alignment", pairs=records)
    assert all((r["response_a"][0] == "c") == (r["label"] == 1) for r in rows)
    assert 0.4 < np.mean([r["label"] for r in rows]) < 0.6
    assert rows == rows_of("hhh_alignment", pairs=records)[0]
    turned = [{**r, "chosen": r["rejected"], "rejected": r["chosen"]} for r in records]
    for one, other in zip(rows, rows_of("hhh_alignment", pairs=turned)[0], strict=True):
        assert one["response_a"] == other["response_a"]  # the draw does not know who won
        assert one["label"] == 1 - other["label"]


def test_evalbiasbench_takes_both_forms_and_honours_the_label():
    record = {"bias": "b", "instruction": "q", "response1": "x", "response2": "y", "label": 1}
    second = {**record, "label": 2}
    ours, _ = rows_of("evalbiasbench", biasbench=[record, second])
    public, _ = rows_of("evalbiasbench", biasbench=[{"b": [record, second]}])
    assert ours == public
    winners = [r["response_a"] if r["label"] == 1 else r["response_b"] for r in ours]
    assert winners == ["x", "y"]


def test_rm_bench_styles():
    record = {"id": 7, "prompt": "q", "chosen": ["c0", "c1", "c2"], "rejected": ["r0", "r1", "r2"]}
    rows, _ = rows_of("rm_bench", chat=[record])
    assert len(rows) == 9
    by_id = {r["id"]: r for r in rows}
    hard = by_id["chat/7/concise/markdown"]
    assert hard["group"] == "hard"
    assert {hard["response_a"], hard["response_b"]} == {"c0", "r2"}
    assert by_id["chat/7/markdown/concise"]["group"] == "easy"
    assert by_id["chat/7/detailed/detailed"]["group"] == "normal"
    refuse = [{**record, "subset": "xstest-should-refuse"}, {**record, "subset": "other"}]
    assert len(rows_of("rm_bench", **{"safety-refuse": refuse})[0]) == 9


def test_xstest_pairs():
    def answer(kind, label, text, second=None):
        annotated = {"annotation_1": label, "annotation_2": second or label, "final_label": label}
        return {"id": "1", "type": kind, "prompt": "q", "completion": text, **annotated}

    def votes(kind, text):
        """For the answer `text`, by the two who annotated: the second took both for refusals."""
        both = [answer(kind, "1_full_compliance", "yes", "2_full_refusal")]
        (row,), _ = rows_of("xstest", gpt4=both, llama2new=[answer(kind, "2_full_refusal", "no")])
        values = [vote["value"] for vote in row["votes"]]
        return values if row["response_a"] == text else [1 - value for value in values]

    def winners(kind):
        rows, faults = rows_of(
            "xstest",
            gpt4=[answer(kind, "1_full_compliance", "yes")],
            llama2new=[answer(kind, "2_full_refusal", "no")],
            llama2orig=[answer(kind, "2_full_refusal", "never")],
            mistralguard=[answer(kind, "3_partial_refusal", "well")],
        )
        assert (len(rows), len(faults)) == (2, 1)
        return {r["response_a"] if r["label"] == 1 else r["response_b"] for r in rows}

    assert winners("homonyms") == {"yes"}
    assert votes("homonyms", "yes") == [1.0, 0.5]
    assert votes("contrast_homonyms", "yes") == [0.0, 0.5]
    assert winners("contrast_homonyms") == {"no", "never"}


def test_pandalm_votes():
    record = {
        "idx": 3, "instruction": "do", "input": "", "response1": "x", "response2": True,
        "annotator1": 1, "annotator2": 0, "annotator3": 2,
    }  # fmt: skip
    (row,), _ = rows_of(
        "pandalm_testset",
        testset=[
            record,
        ],
    )
    assert row["label"] == 0.5
    assert [v["value"] for v in row["votes"]] == [1.0, 0.5, 0.0]
    assert (row["prompt"], row["response_b"]) == ("do", "True")


def test_ukpconvarg1_rows():
    record = {
        "id": "x_y", "topic": "t", "debate": "d", "stance": "s", "description": "e", "a1": "one",
        "a2": "two", "votes": [{"worker": 4, "value": "a2"}], "gold": "equal",
    }  # fmt: skip
    rows, faults = rows_of("ukpconvarg1", pairs=[record, {**record, "gold": None}])
    assert (rows[0]["group"], rows[0]["source"], rows[0]["label"]) == ("d", "t", 0.5)
    assert rows[0]["votes"] == [{"annotator": "4", "value": 0.0}]
    assert faults[0].row == 1


LLMBAR_RECORD = {"input": "q", "output_1": "x", "output_2": "y", "label": 2}


def write_llmbar(folder, pack=gzip.compress, suffix=".gz"):
    for part in find_suite("llmbar").parts.values():
        path = folder / (part.path.removesuffix(".gz") + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pack(json.dumps(LLMBAR_RECORD).encode()))


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bytes, "")])
def test_folder_argument_and_variable(tmp_path, monkeypatch, pack, suffix):
    write_llmbar(tmp_path, pack, suffix)
    assert len(load_suite("llmbar", tmp_path)) == 7
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    found = load_suite("llmbar")
    assert found.labels.tolist() == [0.0] * 7
    assert set(found.strings("group")) == set(find_suite("llmbar").parts)


def test_missing_file_is_named_with_its_origin(tmp_path):
    with pytest.raises(DataError, match=r"llmbar/natural.jsonl.gz.*princeton-nlp/LLMBar @ 9006"):
        load_suite("llmbar", tmp_path)


def test_a_file_of_another_form(tmp_path):
    write_llmbar(tmp_path)
    (tmp_path / "llmbar/natural.jsonl.gz").write_bytes(gzip.compress(b'{"other": 1}'))
    with pytest.raises(DataError, match="expects other records"):
        load_suite("llmbar", tmp_path)
    (tmp_path / "llmbar/natural.jsonl.gz").write_bytes(b"<html>")
    with pytest.raises(DataError, match=r"natural\.jsonl\.gz cannot be read"):
        load_suite("llmbar", tmp_path)


@pytest.mark.parametrize(
    "content", ['[{"a": 1}, {"a": 2}]', '{"a": 1}\n{"a": 2}\n', '{"a": 1}\n\n{"a": 2}']
)
def test_forms_of_records(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    assert read_records(path) == [{"a": 1}, {"a": 2}]


def test_csv_with_line_breaks_in_a_field(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b'a,b\n1,"two\n\nlines"\n'))
    assert read_records(path) == [{"a": "1", "b": "two\n\nlines"}]


@pytest.fixture
def server(tmp_path):
    """A web server on this machine that serves `public/`, and the requests it has seen."""
    seen = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            seen.append(self.path)

    folder = tmp_path / "public"
    folder.mkdir()
    httpd = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{httpd.server_port}", seen
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def local_suite(url):
    suite = find_suite("llmbar")
    parts = {name: Part(p.path, f"{url}/{name}.json") for name, p in suite.parts.items()}
    return replace(suite, parts=parts)


def test_fetched_once_and_kept(server, tmp_path, monkeypatch):
    folder, url, seen = server
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    suite = local_suite(url)
    for name in suite.parts:  # the public form: a JSON array, not gzipped
        (folder / f"{name}.json").write_text(json.dumps([LLMBAR_RECORD, LLMBAR_RECORD]))
    assert len(suite.fetch()) == 14
    assert len(seen) == 7
    assert len(suite.fetch()) == 14
    assert len(seen) == 7
    assert len([one for one in (tmp_path / "cache").rglob("*") if one.is_file()]) == 7


def test_an_origin_that_does_not_answer(server, tmp_path, monkeypatch):
    _, url, _ = server
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    message = r"could not be fetched from http.*natural.json.*404.*--suites DIR.*SUREFOOT_SUITES"
    with pytest.raises(DataError, match=message):
        local_suite(url).fetch()
    with pytest.raises(DataError, match=r"could not be fetched from http://127\.0\.0\.1:1/natural"):
        local_suite("http://127.0.0.1:1").fetch()  # nobody listens there
    with pytest.raises(DataError, match=r"file:///nowhere/natural.json.*--suites"):
        local_suite("file:///nowhere").fetch()


@pytest.mark.parametrize("name", ["hhh_alignment", "ukpconvarg1"])
def test_suites_whose_public_form_differs_say_so(name, monkeypatch):
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    with pytest.raises(DataError, match=r"its public form \(GitHub .*differs.*--suites DIR"):
        load_suite(name)


def test_sides_that_were_drawn_are_no_slots_that_somebody_chose():
    rows = [pair(f"q {i}", f"yes {i}", f"no {i}") for i in range(40)]
    drawn = Preferences.from_rows(rows)
    assert {0.0, 1.0} == set(drawn.labels.tolist())
    assert not PreferenceMaterial(drawn).placed.any()
