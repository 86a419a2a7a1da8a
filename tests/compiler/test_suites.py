"""Evaluation suites in their published formats: few-shot prompts are the standard ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import Library, dataset_of

from flancompile.authoring.preview import PreviewSettings, spec_of
from flancompile.compiler.check.recipe import check_recipe
from flancompile.compiler.objects.used_fields import query_fields, used_fields
from flancompile.compiler.request import bare_request
from flancompile.dsl.checks.dataset import check_library
from flancompile.dsl.library.library import load_library
from flancompile.dsl.models.task import Task
from flancompile.lint.data import check_rows
from flancompile.lint.reading import Reading

LAYOUT = {"shots": {"standard": {"exemplar": "{{ input }} {{ target }}"}}}


def compiled(root: Path, dataset: dict[str, Any], files: dict[str, str], **entry: Any) -> Any:
    library = Library(root / "lib")
    for name, text in files.items():
        library.write(f"datasets/{name}", text)
    library.dataset()
    library.write("datasets/suite.yaml", dataset)
    library.write("styles/standard.yaml", LAYOUT)
    found = check_rows([library.root], None, Reading(write_lock=False))
    codes = {d.code for d in found if d.allowed is None}
    assert not codes & {"FC320", "FC321", "FC323", "FC327"}, found
    library.mixture({"select": "toy/qa"})
    library.recipe(
        lengths={"pack": 4096}, evaluate=[{"select": "all and not toy/qa", "split": "test", **entry}],
        styles={"shots": ["standard"]},
    )  # fmt: skip
    return library.compile(root / "build", root / "cache")


def test_mmlu_shows_five_of_the_subject_in_file_order(tmp_path: Path) -> None:
    """Headerless CSV with a dev and a test file for each subject; one dev row stands twice."""
    files = {}
    for subject in ("algebra", "law"):
        dev = [f"{subject} dev {max(i, 1)}?,a{i},b,c,d,{'ABCD'[max(i, 1) % 4]}" for i in range(5)]
        files[f"dev/{subject}.csv"] = "\n".join(dev) + "\n"
        files[f"test/{subject}.csv"] = "".join(f"{subject} test {i}?,w,x,y,z,C\n" for i in range(4))
    dataset = {
        "source": {
            "files": {"dev": "dev/{{ subject }}.csv", "test": "test/{{ subject }}.csv"},
            "read": {"header": False, "columns": ["question", "A", "B", "C", "D", "letter"]},
        },
        "for_each": {"subject": ["algebra", "law"]},
        "fields": {"question": "question", "a": "A", "b": "B", "c": "C", "d": "D", "letter": "letter"},
        "tasks": {
            "mc": {
                "signature": "question, a, b, c, d -> letter",
                "exemplars": {"from": "split", "split": "dev", "order": "file"},
                "instruction": "Questions about {{ subject }}.",
                "eval": {"metric": "exact_match"},
                "templates": [{
                    "name": "standard",
                    "input": "{{ question }}\nA. {{ a }}\nB. {{ b }}\nC. {{ c }}\nD. {{ d }}\nAnswer:",
                    "target": "{{ letter }}",
                }],
            }
        },
    }  # fmt: skip
    build = compiled(tmp_path, dataset, files, shots=5)
    entries = [e.task for e in build.manifest.evaluation]
    assert len(entries) == 2
    for task, subject in zip(sorted(entries), ("algebra", "law"), strict=True):
        table, _ = build.evaluation(task)
        assert table["shots"].to_pylist() == [5] * 4
        for line in table.to_pylist():
            shown = [
                f"{subject} dev {max(i, 1)}?\nA. a{i}\nB. b\nC. c\nD. d\nAnswer: {'ABCD'[max(i, 1) % 4]}"
                for i in range(5)
            ]
            opening, *blocks = line["prompt"].split("\n\n")
            assert opening == f"Questions about {subject}."
            assert blocks[:-1] == shown
            assert blocks[-1].startswith(f"{subject} test ") and blocks[-1].endswith("Answer:")


@pytest.mark.parametrize("rationale", ["rationale | default('')", "none", "rationale", "row.why"])
def test_bbh_shows_three_rationales_that_only_the_exemplars_have(
    tmp_path: Path, rationale: str
) -> None:
    """`{"examples": [...]}`, and exemplars in a file; inputs differ in their brackets alone."""
    signs = ["( (", "( [", "{ (", "[ ["]
    rows = [
        {"input": f"Close: {s}", "target": s.translate(str.maketrans("([{", ")]}"))} for s in signs
    ]
    shots = [
        {"input": f"Close: {s}", "rationale": f"We see {s}.", "target": t}
        for s, t in (("(", ")"), ("[", "]"), ("{", "}"))
    ]
    dataset = {
        "source": {"files": {"test": "dyck.json"}, "explode": "examples"},
        "fields": {"input": "input", "target": "target", "rationale": rationale},
        "tasks": {
            "cot": {
                "signature": "input -> rationale, target",
                "exemplars": {
                    "from": "file", "file": "cot.jsonl", "order": "file",
                    "fields": {n: f"item.{n}" for n in ("input", "rationale", "target")},
                },
                "eval": {"metric": "exact_match"},
                "templates": [{
                    "name": "standard", "cot": True,
                    "input": "Q: {{ input }}\nA: Let's think step by step.",
                    "target": "{{ rationale }} So the answer is {{ target }}.",
                }],
            }
        },
    }  # fmt: skip
    files = {
        "dyck.json": json.dumps({"canary": "x", "examples": rows}),
        "cot.jsonl": "".join(json.dumps(s) + "\n" for s in shots),
    }
    build = compiled(tmp_path, dataset, files, shots=3, cot=True)
    table, about = build.evaluation(build.manifest.evaluation[0].task)
    assert sorted(line["target"] for line in table.to_pylist()) == sorted(
        f"So the answer is {r['target']}." for r in rows
    )
    assert about["between"] == {"standard": ["So the answer is", "."]}
    for line in table.to_pylist():
        *shown, query = line["prompt"].split("\n\n")
        assert shown == [
            f"Q: {s['input']}\nA: Let's think step by step. {s['rationale']} So the answer is {s['target']}."
            for s in shots
        ]
        assert query.startswith("Q: Close: ") and query.endswith("step by step.")


TWO_WAYS = [
    {"name": "direct", "input": "Q: {{ q }}\nA:", "target": "{{ a }}"},
    {"name": "cot", "cot": True, "input": "Q: {{ q }}\nThink:", "target": "{{ why }} So {{ a }}."},
]
READ = st.fixed_dictionaries(
    {},
    optional={
        "where": st.just("q != why | default('x')"),
        "instruction": st.just("Note {{ why }}"),
        "eval": st.sampled_from(
            [{"answers": "[a]"}, {"answers": "[why]"}, {"answers": "[a, 'z']"}]
        ),
        "exemplars": st.sampled_from([{"explanation": "why"}, {"same": "why"}, {"unlike": "why"}]),
        "templates": st.sampled_from([TWO_WAYS[:1], TWO_WAYS[1:]]),
    },
)


@given(READ)
@settings(max_examples=60, deadline=None)
def test_a_query_needs_what_is_read_of_it_besides_its_rationale(read: dict[str, Any]) -> None:
    """Only what selects a row, writes its input or scores its answer must be there."""
    read = {**read, "eval": {"metric": "exact_match", **read.get("eval", {})}}
    task = Task.model_validate({"signature": "q -> why, a", "templates": TWO_WAYS, **read})
    asked = {"where", "instruction"} & read.keys() or read["eval"].get("answers") == "[why]"
    asked = bool(asked) or not {"same", "unlike"}.isdisjoint(read.get("exemplars", {}))
    known = ("q", "a", "why", "other")
    assert used_fields(task, known) == {"q", "a", "why"}
    assert ("why" in query_fields(task, known)) == asked
    answered = task.templates[0].cot and read["eval"].get("answers") == "[why]"
    assert query_fields(task, known) >= ({"q"} if answered else {"q", "a"})


@pytest.mark.parametrize("cot", [False, True])
def test_an_absent_rationale_is_as_a_null_one_in_an_evaluation(tmp_path: Path, cot: bool) -> None:
    """The sets are equal, and rows that lack the answer are dropped for that."""
    train = [{"q": f"t{i}?", "why": f"because {i}", "a": str(i)} for i in range(6)]
    test = [{"q": f"e{i}?", **({"a": str(i)} if i % 4 else {})} for i in range(12)]
    found = []
    for n, why in enumerate(("why", "why | default(none)")):
        dataset = {
            "source": {"files": {"train": "train.jsonl", "test": "test.jsonl"}},
            "fields": {"q": "q", "a": "a", "why": why},
            "tasks": {
                "solve": {
                    "signature": "q -> why, a", "templates": TWO_WAYS,
                    "exemplars": {"from": "split", "split": "train", "order": "file"},
                    "eval": {"metric": "exact_match", "split": "test"},
                    "allow": {"FC320": "rows without an answer"},
                },
            },
        }  # fmt: skip
        files = {
            f"{name}.jsonl": "".join(json.dumps(row) + "\n" for row in rows)
            for name, rows in (("train", train), ("test", test))
        }
        build = compiled(tmp_path / str(n), dataset, files, shots=2, cot=cot)
        name = next(e.task for e in build.manifest.evaluation)
        table, _ = build.evaluation(name)
        assert len(table) == 9 and table["shots"].to_pylist() == [2] * 9
        lost = [r for r in build.eval_ledger().to_pylist() if r["reason"]]
        assert len(lost) == 3
        assert {r["reason"].split(" (")[0] for r in lost} == {"field a: no 'a'"}
        found.append(sorted((r["prompt"], r["target"]) for r in table.to_pylist()))
    assert found[0] == found[1]
    assert all(target.startswith("So ") == cot for _, target in found[0])


def test_mgsm_shows_eight_rationales_of_a_file(tmp_path: Path) -> None:
    """Headerless TSV without any rationale, and exemplars in a JSON Lines file."""
    shots = [
        {"q": f"Frage {i}: {i} + 1?", "why": f"{i} und 1 sind {i + 1}.", "a": str(i + 1)}
        for i in range(8)
    ]
    dataset = {
        "source": {
            "files": {"test": "de.tsv"},
            "read": {"header": False, "columns": ["q", "a"], "quoting": False},
        },
        "fields": {"question": "q", "answer": "a", "rationale": "none"},
        "tasks": {
            "cot": {
                "signature": "question -> rationale, answer",
                "exemplars": {
                    "from": "file", "file": "de.jsonl", "order": "file",
                    "fields": {"question": "item.q", "rationale": "item.why", "answer": "item.a"},
                },
                "eval": {"metric": "exact_match_number", "answers": "[answer]"},
                "templates": [{
                    "name": "standard", "cot": True, "input": "{{ question }}\nAntwort:",
                    "target": "{{ rationale }} Die Antwort ist {{ answer }}.",
                }],
            }
        },
    }  # fmt: skip
    files = {
        "de.tsv": "".join(f"Wie viel sind {i} + 5?\t{i + 5}\n" for i in range(6)),
        "de.jsonl": "".join(json.dumps(s) + "\n" for s in shots),
    }
    build = compiled(tmp_path, dataset, files, shots=8, cot=True)
    table, _ = build.evaluation(build.manifest.evaluation[0].task)
    assert table["shots"].to_pylist() == [8] * 6
    for line in table.to_pylist():
        assert line["prompt"].split("\n\n")[:-1] == [
            f"{s['q']}\nAntwort: {s['why']} Die Antwort ist {s['a']}." for s in shots
        ]


def test_tydiqa_shows_one_question_of_the_same_language(tmp_path: Path) -> None:
    """SQuAD's JSON; the language is in the id, and some passages exceed the pack by far."""
    files = {}
    for split, count in (("train", 3), ("dev", 4)):
        data = []
        for language, i in [(n, i) for n in ("finnish", "bengali") for i in range(count)]:
            text = f"{language} {split} {i}: K\u00e4\u00e4pa{i} is the capital. " + "More. " * (
                4_000 * (i == 3)
            )
            answers = [{"text": f"K\u00e4\u00e4pa{i}", "answer_start": text.index("K")}]
            answers += [{"text": "the other", "answer_start": 0}] * (split == "dev")
            qas = [{"id": f"{language}-{split}-{i}", "question": f"{i}?", "answers": answers}]
            data.append({"paragraphs": [{"context": text, "qas": qas}]})
        files[f"{split}.json"] = json.dumps({"version": "1.1", "data": data})
    dataset = {
        "source": {
            "files": {"train": "train.json", "test": "dev.json"},
            "explode": "data.paragraphs.qas", "id": "id",
        },
        "fields": {
            "language": "id | split('-') | first", "context": "context", "question": "question",
            "answer": "answers[0].text", "accepted": "answers | map(attribute='text')",
        },
        "tasks": {
            "qa": {
                "signature": "context, question -> answer",
                "truncate": ["context"],
                "exemplars": {"from": "split", "split": "train", "same": "language"},
                "eval": {"metric": "squad_f1", "answers": "accepted"},
                "templates": [{
                    "name": "standard", "let": {"passage": "context | trim"},
                    "input": "{{ passage }}\nQ: {{ question }}\nA:", "target": "{{ answer }}",
                }],
            }
        },
    }  # fmt: skip
    build = compiled(tmp_path, dataset, files, shots=1)
    (entry,) = build.manifest.evaluation
    assert (entry.rows, entry.dropped) == (8, 0)
    lines = build.evaluation(entry.task)[0].to_pylist()
    assert sorted(line["shots"] for line in lines) == [0, 0, 1, 1, 1, 1, 1, 1]
    for line in lines:
        language, _, i = line["row_id"].split("-")
        *shown, query = line["prompt"].split("\n\n")
        assert line["accepted"] == [f"K\u00e4\u00e4pa{i}", "the other"]
        assert all(text.startswith(f"{language} train ") for text in shown)
        assert query.startswith(f"{language} dev {i}: ") and query.endswith(f"Q: {i}?\nA:")
        if i == "3":
            assert 0.95 * 4096 <= len(line["prompt_ids"]) + len(line["target_ids"]) <= 4096


def test_a_layout_of_ones_own_joins_only_where_it_is_named(tmp_path: Path) -> None:
    library = Library(tmp_path / "lib")
    library.dataset()
    mine = {"zero": "MINE {{ input }}", "when": "zero", "only_where_named": True}
    other = {**mine, "zero": "TASK {{ input }}"}
    letters = {"item": "§§{{ text }}", "only_where_named": True}
    library.write(
        "styles/own.yaml", {"shots": {"mine": mine, "other": other}, "options": {"own": letters}}
    )
    library.mixture({"select": "toy/qa"})
    plain = {"select": "toy/qa", "split": "validation", "max_rows": 30}
    library.recipe(evaluate=[plain])

    def prompts(name: str) -> list[str]:
        build = library.compile(tmp_path / name, tmp_path / "cache")
        table, _ = build.evaluation("toy/qa")
        assert len(table) == 30
        return [str(p) for p in table["prompt"].to_pylist()]

    assert not any(p.startswith(("MINE", "TASK")) or "§§" in p for p in prompts("default"))
    library.recipe(evaluate=[{**plain, "styles": {"shots": ["mine"], "options": ["own"]}}])
    found = prompts("entry")
    assert all(p.startswith("MINE ") for p in found) and any("§§" in p for p in found)
    about = dataset_of("toy")
    about["tasks"]["qa"]["styles"] = {"shots": ["other"]}
    library.dataset(tasks=about["tasks"])
    assert all(p.startswith("MINE ") for p in prompts("both"))  # the entry's come first
    library.recipe(evaluate=[plain])
    assert all(p.startswith("TASK ") for p in prompts("task"))


def test_styles_that_do_not_exist_are_found_where_they_are_named(tmp_path: Path) -> None:
    library = Library(tmp_path / "lib")
    about = dataset_of("toy")
    about["tasks"]["qa"]["styles"] = {"options": ["nowhere"]}
    library.dataset(tasks=about["tasks"])
    library.mixture({"select": "toy/qa"})
    library.recipe(evaluate=[{"select": "toy/qa", "styles": {"shots": ["missing"]}}])
    loaded, found = load_library([library.root])
    assert not found
    diagnostics = [*check_library(loaded), *check_recipe(loaded, loaded.recipes["r"])]
    places = {
        Path(d.span.path).name for d in diagnostics if d.code == "FC411" and d.span is not None
    }
    assert places == {"toy.yaml", "r.yaml"}


def test_show_draws_from_the_styles_of_the_task(tmp_path: Path) -> None:
    library = Library(tmp_path / "lib")
    about = dataset_of("toy")
    about["tasks"]["qa"]["styles"] = {"shots": ["arrows"]}
    library.dataset(tasks=about["tasks"])
    request = bare_request((library.root,), None)
    (task,) = (t for t in request.tasks.values() if t.id == "toy/qa")
    for asked, want in ((None, {"arrows"}), ("markdown", {"markdown"})):
        spec = spec_of(request, task, PreviewSettings(shots_style=asked))
        drawn = {n for n in spec.shots_styles if not n.startswith("plain,")}
        assert drawn == want
