"""Static checks of a whole dataset file: signature, texts, exemplars and inverted tasks."""

from pathlib import Path
from typing import Any

import pytest
from checks import checked, file_of, loaded, marked
from toys import Library

from flancompile.dsl.checks.dataset import check_dataset, check_library
from flancompile.dsl.library.library import load_library
from flancompile.dsl.library.memo import Memo


def test_a_sound_file_has_no_diagnostics() -> None:
    assert checked(file_of()) == []


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ({"signature": "q, z -> a"}, [("FC203", "z")]),
        ({"signature": "q -> z, a"}, [("FC203", "z")]),
        ({"truncate": ["q"]}, []),
        ({"truncate": ["q", "a", "t"]}, [("FC204", "a"), ("FC204", "t")]),
        ({"where": "q and z"}, [("FC202", "z")]),
        ({"instruction": "Say {{ t }}."}, []),
        ({"instruction": "Say {{ z }}."}, [("FC202", "z")]),
        ({"instruction": "It is {{ a }}."}, [("FC206", "a")]),
        ({"eval": {"answers": "[a, z]"}}, [("FC202", "z")]),
        ({"eval": {"metric": "accuracy"}}, [("FC227", "accuracy")]),
        ({"exemplars": {"from": "column", "rows": "z", "fields": {"q": "item.x", "y": "z"}}},
         [("FC202", "z"), ("FC203", "z"), ("FC202", "z")]),
        ({"exemplars": {"from": "column", "rows": "t", "explanation": "item.x ~ q"}}, [("FC202", "q")]),
        ({"exemplars": {"same": "t", "unlike": "z", "explanation": "q"}}, [("FC203", "z")]),
    ],
)  # fmt: skip
def test_names_of_a_task_that_are_no_fields(
    task: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert checked(file_of(task)) == found


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"where": "q and row_number < 3 and z"}, [("FC202", "z")]),
        ({"let": {"z": "column"}, "where": "z"}, []),
        ({"fields": {"q": "any_column", "a": "b +"}}, [("FC103", "b +")]),
        ({"fields": {"q": "a | uper", "a": "b"}}, [("FC104", "uper")]),
        ({"allow": {"FC202": "why"}}, [("FC228", "FC202")]),
        ({"for_each": {"lang": [{"name": "x", "k": 1}]}, "fields": {"q": "lang.z", "a": "lang.k"}},
         [("FC222", "z")]),
    ],
)  # fmt: skip
def test_texts_of_the_file(more: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert checked(file_of(**more)) == found


INVERTED = {"signature": "a -> q", "inverted": True,
            "templates": [{"name": "t", "input": "{{ a }}", "target": "{{ q }}"}]}  # fmt: skip


@pytest.mark.parametrize(
    ("signature", "template", "told"),
    [("a -> q", "{{ a }}|{{ q }}", False), ("t -> q", "{{ t }}|{{ q }}", False),
     ("a -> t", "{{ a }}|{{ t }}", False), ("t -> u", "{{ t }}|{{ u }}", True)],
)  # fmt: skip
def test_an_inverted_task_turns_another_one_round(
    signature: str, template: str, told: bool
) -> None:
    given = file_of(fields={n: n for n in "qatu"})
    left, right = template.split("|")
    one = {"name": "t", "input": left, "target": right}
    given["tasks"]["back"] = {"signature": signature, "inverted": True, "templates": [one]}
    assert checked(given) == [("FC219", signature)] * told
    del given["tasks"]["qa"]  # alone it has nothing to turn round
    assert checked(given) == []


def test_missing_parts_of_a_repaired_file_are_not_reported() -> None:
    dataset = loaded(file_of({"signature": "q, t -> a"}, {"target": "{{ q }}"}))
    whole = [code for code, _ in marked(dataset, check_dataset(dataset, Memo()))]
    assert whole == ["FC214", "FC215"]
    dataset.document.partial = True
    assert check_dataset(dataset, Memo()) == []


def test_a_library_s_overlays_styles_and_allowed_warnings(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.dataset(rows=2, allow={"FC213": "they are two on purpose"})
    path = tmp_path / "datasets" / "toy.yaml"
    text = path.read_text()
    library.write("overlays/o.yaml", {
        "overlay": "o", "sources": {"toy": {"files": "{{ lang }}.jsonl", "columns": {"q": "x +"}}},
    })  # fmt: skip
    library.write("styles/s.yaml", {"options": {"odd": {"item": "{{ txt }}"}}})
    path.write_text(text.replace("cluster:", "styles: {shots: [no_such]}\n    cluster:"))
    loaded_, found = load_library([tmp_path], builtin=False)
    assert not found
    codes = [(d.code, Path(d.span.path).name) for d in check_library(loaded_) if d.span]
    assert codes == [
        ("FC411", "toy.yaml"), ("FC103", "o.yaml"), ("FC202", "o.yaml"), ("FC202", "s.yaml")
    ]  # fmt: skip
