"""Keys: each covers all that its bytes depend on, so a warm cache gives what an empty one gives."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import LETTERS, PLAIN, Library, dataset_of

from flancompile.compiler.evaluation.rows import EvalJob, eval_key
from flancompile.compiler.objects.build import ObjectJob, object_key
from flancompile.compiler.objects.fit import Budget
from flancompile.compiler.objects.used_fields import used_fields
from flancompile.compiler.render.arms import ArmShares
from flancompile.compiler.render.exemplar_pools import PoolRef, pool_digest
from flancompile.compiler.render.renderer import RenderSpec
from flancompile.dsl.library.memo import Memo
from flancompile.dsl.models.source import Join, ReadOptions, Source
from flancompile.dsl.models.task import Exemplars, Task
from flancompile.feed.feed import FeedState
from flancompile.sources.blocks import SplitBlocks, SplitSpec, read_key
from flancompile.sources.digests import file_digest
from flancompile.sources.place import JoinedFiles, Resolved, resolve_place
from flancompile.tokenizer.chat import ChatTemplate
from flancompile.tokenizer.load import TokenizerRef
from flancompile.tokenizer.tokenizer import Specials, Tokenizer

Changes = Mapping[str, list[Any]]


def every_field_counts(one: Any, changes: Changes, key: Callable[[Any], str], no: set[str]) -> None:
    """Each field of a dataclass is in the key, but those of `no`; a new field needs an entry."""
    names = {f.name for f in fields(one)}
    assert names == {*changes, *no}, "a field without a change"
    before = key(one)
    seen: dict[str, Any] = {before: "unchanged"}
    for name, values in changes.items():
        assert values
        for value in values:
            found = key(replace(one, **{name: value}))
            assert found not in seen, (name, value, seen[found])
            seen[found] = name, value


def file_of(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def place_in(folder: Path) -> Resolved:
    file_of(folder, "a.jsonl", '{"a": 1}\n')
    source = Source.model_validate({"files": "a.jsonl"})
    return resolve_place(source, None, "train", folder, None)


def test_a_read_s_key_covers_the_whole_spec(tmp_path: Path) -> None:
    spec = SplitSpec("s", place_in(tmp_path), {"a": "a"}, None, 1)
    cache = tmp_path / "cache"
    changes: Changes = {
        "source_id": ["t"], "fields": [{"b": "a"}, {"a": "a + 1"}, {}], "where": ["a"],
        "seed": [2], "variable": [("x", {"x": 1}), ("x", {"x": 2})], "block_rows": [7],
        "let": [{"b": "a"}], "place": [replace(spec.place, id="a")],
    }  # fmt: skip
    every_field_counts(spec, changes, lambda s: read_key(s, cache), set())


def test_a_read_s_key_covers_the_whole_place(tmp_path: Path) -> None:
    place, cache = place_in(tmp_path), tmp_path / "cache"
    other = [file_of(tmp_path, n, t) for n, t in (("b.jsonl", '{"a": 1}\n'), ("c.jsonl", "{}\n"))]
    joins = [
        (JoinedFiles(Join.model_validate({"files": "b.jsonl", **more}), tuple(files)),)
        for more in ({}, {"prefix": "x"}, {"by": "key", "key": "a"})
        for files in (other[:1], other, other[1:])
    ]
    changes: Changes = {
        "config": ["c"], "files": [(other[0],), (other[1],), (place.files[0], other[0])],
        "format": ["json"], "read": [ReadOptions(skip=1), ReadOptions(encoding="latin-1")],
        "explode": [("a",), ("a", "b")], "items": [{"b": "a"}],
        "joins": joins, "columns": [{"b": "a"}], "id": ["a"], "where": ["a"],
    }  # fmt: skip

    def key(one: Resolved) -> str:
        return read_key(SplitSpec("s", one, {"a": "a"}, None, 1), cache)

    every_field_counts(place, changes, key, {"split", "hub", "revision"})
    moved = place_in(tmp_path / "elsewhere")
    assert key(moved) == key(place)


def test_a_folder_of_the_hub_s_form_counts_by_names_and_bytes(tmp_path: Path) -> None:
    found = []
    for number, (name, text) in enumerate((("a", "1"), ("b", "1"), ("b", "2"), ("b/c", "2"))):
        folder = tmp_path / str(number) / "repo"
        file_of(folder, name, text)
        place = replace(place_in(tmp_path), hub=str(folder), files=())
        found.append(read_key(SplitSpec("s", place, {"a": "a"}, None, 1), tmp_path / "cache"))
    assert len(set(found)) == 4


def test_hub_data_of_an_unknown_commit_counts_by_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(file_of(tmp_path, "kept.arrow", "one"))
    monkeypatch.setattr("flancompile.sources.blocks.hub_files", lambda *_: [file])
    place = replace(place_in(tmp_path), hub="owner/name", files=())
    spec = SplitSpec("s", place, {"a": "a"}, None, 1)
    before = read_key(spec, tmp_path / "cache")
    assert before == read_key(spec, tmp_path / "cache")
    file.write_text("two")
    assert before != read_key(spec, tmp_path / "cache")


def test_a_file_s_remembered_digest_is_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    found = []
    for text in ("one", "two", "three"):
        path.write_text(text)
        found += [file_digest(path, tmp_path / "cache"), file_digest(path, tmp_path / "cache")]
    assert len(set(found)) == 3 and found[::2] == found[1::2]


def task_of(**more: Any) -> Task:
    about = dataset_of("toy")["tasks"]["qa"]
    return Task.model_validate({**about, **more})


def job_of(task: Task | None = None) -> ObjectJob:
    spec = RenderSpec(
        "t", task or task_of(), {"letters": LETTERS}, {"plain": PLAIN},
        ArmShares(((0, 1.0), (2, 1.0))), 1, (0, 1),
    )  # fmt: skip
    return ObjectJob("", "", spec, Budget(total=9), TokenizerRef("", ""), "", 0, 0)


COLUMNS = {n: n for n in ("_row", "_id", "_ordinal", "question", "answer", "topic", "note")}


def test_an_object_s_key_covers_its_job(tmp_path: Path) -> None:
    job = job_of()
    pools = [
        PoolRef(), PoolRef(digest="d"), PoolRef(count=1), PoolRef(rows=("{}",)),
        PoolRef(rows=("{}", "{}")),
    ]  # fmt: skip
    changes: Changes = {
        "spec": [replace(job.spec, seed=2)], "epoch": [1], "reserved": [1], "pool": pools,
        "budget": [Budget(total=8), Budget(input=9), Budget(target=9), Budget(total=9, exchange=1)],
    }  # fmt: skip
    elsewhere = {"key", "path", "folder", "block", "tokenizer"}  # by digests of columns and ids
    every_field_counts(job, changes, lambda j: object_key(j, COLUMNS, "t"), elsewhere)
    found = {object_key(job, COLUMNS, "t"), object_key(job, COLUMNS, "u")}
    read = used_fields(job.spec.task, COLUMNS) | {"_row", "_id", "_ordinal"}
    found |= {object_key(job, {**COLUMNS, name: "other"}, "t") for name in read}
    assert len(found) == 2 + len(read)


def test_an_object_s_key_covers_its_spec() -> None:
    spec = job_of().spec
    shares = [
        ArmShares(((0, 1.0), (2, 2.0))), ArmShares(options=(1.0, 0.0)), ArmShares(cot=(1.0, 0.0)),
    ]  # fmt: skip
    tasks = [
        task_of(where="answer"), task_of(let={"x": "answer"}), task_of(instruction="Say it."),
        task_of(truncate=["question"]), task_of(choices={"gold": "answer", "distractors": 2}),
        task_of(exemplars={"same": "topic"}), task_of(exemplars={"explanation": "note"}),
        task_of(signature="question, topic -> answer"),
        task_of(templates=[{"name": "plain", "input": "{{ question }}!", "target": "{{ answer }}"}]),
        task_of(templates=[{"name": "plain", "input": "{{ question }}", "target": "{{ answer }}."}]),
    ]  # fmt: skip
    changes: Changes = {
        "task_id": ["u"], "task": tasks, "seed": [2], "templates": [(0,), (1, 0)],
        "option_styles": [{}, {"letters": LETTERS.model_copy(update={"item": "{{ text }}"})}],
        "shots_styles": [{}, {"plain": PLAIN.model_copy(update={"separator": "--"})}],
        "shares": shares, "join": [" ", "\n"], "variable": [("x", 1), ("x", 2), ("y", 1)],
        "chat_styles": [{"c": ChatTemplate("a", {})}, {"c": ChatTemplate("b", {})}],
    }  # fmt: skip

    def key(one: RenderSpec) -> str:
        return object_key(replace(job_of(), spec=one), COLUMNS, "t")

    every_field_counts(spec, changes, key, {"wrap"})
    chats = replace(spec, chat_styles={"c": ChatTemplate("a", {})})
    assert key(chats) != key(replace(chats, wrap=True))


def test_an_evaluation_block_s_key_covers_its_job() -> None:
    job = EvalJob(job_of())
    changes: Changes = {
        "object": [
            replace(job.object, epoch=1),
            job_of(task_of(eval={"metric": "exact_match", "answers": "[answer]"})),
            job_of(task_of(eval={"metric": "accuracy"})),
        ],
        "most": [1, 2],
    }
    every_field_counts(job, changes, lambda j: eval_key(j, COLUMNS, "t"), set())
    assert eval_key(job, COLUMNS, "t") != object_key(job.object, COLUMNS, "t")


def test_a_pool_s_digest_covers_each_column_of_the_blocks_it_is_of() -> None:
    blocks = SplitBlocks(Path(), 2, 2, (1, 1), ({"a": "1", "b": "2"}, {"a": "3", "b": "4"}), ("a",))
    others = [
        replace(blocks, column_digests=c)
        for c in (
            ({"a": "9", "b": "2"}, {"a": "3", "b": "4"}),
            ({"a": "1", "b": "9"}, {"a": "3", "b": "4"}),
            ({"a": "1", "b": "2"}, {"a": "9", "b": "4"}),
            ({"a": "1", "b": "2"}, {"a": "3", "b": "9"}),
        )
    ]
    for settings_, count in (({"from": "split", "split": "s", "order": "file"}, 5),
                             ({"from": "split", "split": "s", "order": "drawn"}, 3)):  # fmt: skip
        exemplars = Exemplars.model_validate(settings_)
        assert len({pool_digest(b, exemplars) for b in (blocks, *others)}) == count


def test_a_tokenizer_s_digest_covers_bytes_frame_and_chat() -> None:
    data = b"some bytes"
    one = Tokenizer("bytes", data, "n", Specials(1, 2, 3))
    others = [
        *(Tokenizer("bytes", data, "n", Specials(*s)) for s in ((0, 2, 3), (1, 0, 3), (1, 2, 0))),
        *(one.with_chat(ChatTemplate(*c)) for c in (("a", {}), ("b", {}), ("a", {"bos_token": "x"}))),
    ]  # fmt: skip
    for place in range(len(data)):
        flipped = bytes(b ^ (i == place) for i, b in enumerate(data))
        others.append(Tokenizer("bytes", flipped, "n", Specials(1, 2, 3)))
    assert len({t.digest for t in (one, *others)}) == 1 + len(others) == 17
    assert Tokenizer("bytes", data, "another name", Specials(1, 2, 3)).digest == one.digest


def test_the_memo_of_checked_files_is_of_the_file_s_bytes(tmp_path: Path) -> None:
    path, memo = tmp_path / "a.yaml", tmp_path / "memo"
    found = []
    for text in ("a: 1", "a: 2", "a: 1"):
        path.write_text(text)
        held = Memo(memo)
        found.append(held.read(path).data)
        held.save()
    assert found == [{"a": 1}, {"a": 2}, {"a": 1}]


def test_a_feed_s_state_covers_build_batch_order_and_step() -> None:
    changes: Changes = {
        "root_digest": ["b"],
        "batch_packs": [2],
        "seed": [1, None],
        "next_step": [9],
    }
    state = FeedState("a", 1, 0, 8)
    every_field_counts(state, changes, lambda s: json.dumps(s.as_dict(), sort_keys=True), set())


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library, compiled once, with the cache that it left."""
    folder = tmp_path_factory.mktemp("warm")
    made = Library(folder / "library")
    exemplars = {"from": "split", "split": "validation", "order": "file"}
    made.dataset(rows=40)
    about = dataset_of("toy")
    about["tasks"]["qa"] |= {"exemplars": exemplars}
    made.write("datasets/toy.yaml", about)
    made.mixture({"select": "all", "shots": {0: 1, 2: 1}})
    made.recipe(
        size={"examples": 30}, evaluate=[{"select": "all", "split": "validation", "shots": 1}]
    )
    made.compile(folder / "build", folder / "cache")
    return folder


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 39), st.sampled_from(["question", "answer", "topic", "note"]),
    st.integers(0, 60), st.characters(codec="ascii", categories=("L", "N")),
)  # fmt: skip
def test_a_warm_cache_gives_what_an_empty_one_gives(
    warm: Path, row: int, name: str, place: int, letter: str
) -> None:
    work = warm / "edited"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(warm / "library", work / "library")
    path = work / "library/datasets/toy.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    text = rows[row][name] or "x"
    place %= len(text)
    rows[row][name] = text[:place] + letter + text[place + 1 :]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    made = Library(work / "library")
    one = made.compile(work / "one", warm / "cache")
    two = made.compile(work / "two", work / "cache")
    assert one.manifest == two.manifest
