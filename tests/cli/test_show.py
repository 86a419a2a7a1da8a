"""`show`: examples as text and JSON, and names that are wrong."""

from pathlib import Path

from commands import call, call_json
from toys import Library, dataset_of

from flancompile.tokenizer.tokenizer import Tokenizer


def test_show(home: Path) -> None:
    text = call("show", "toy/qa", "-n", "1", "--shots", "2", "--row", "4", cwd=home)
    assert "What is 4 plus 2?" in text
    (example,) = call_json(
        "show", "toy/qa", "-n", "1", "-t", "pick", "--options", "--option-style", "dash", cwd=home
    )["examples"]
    assert example["prompt"].count("\n- ") == 4
    assert "did you mean 'toy/qa'" in call("show", "toy/q", cwd=home, ok=2)
    assert "did you mean 'pick'" in call("show", "toy/qa", "-t", "pik", cwd=home, ok=2)
    assert "⏎" in call("show", "toy/qa", "-w", "-n", "1", "--shots", "1", cwd=home)


def test_tokens_are_counted_and_marked(home: Path, tmp_path: Path, bpe: Tokenizer) -> None:
    bpe.save(tmp_path)
    one_row = ("show", "toy/qa", "--row", "4")
    (one,) = call_json(*one_row, cwd=home)["examples"]
    shown = call(*one_row, "--tokenizer", str(tmp_path), cwd=home).splitlines()
    sides = [one["prompt"], one["target"]]
    assert one["runs"] == sides
    sizes = [len(ids) for ids in bpe.encode(sides)]
    assert shown[0].endswith(f"{sizes[0]} + {sizes[1]} tokens")
    bare = call(*one_row, cwd=home).splitlines()
    assert bare[0].endswith(f"{len(sides[0])} + {len(sides[1])} characters")
    assert bare[1:] == shown[1:]


def test_the_first_split_where_there_is_no_training_split(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.dataset(rows=20)
    about = dataset_of("toy")
    about["source"]["files"] = {"dev": "toy.jsonl", "test": "none.jsonl"}
    about["tasks"]["qa"]["templates"] = [
        {"name": "noted", "when": "note", "input": "{{ question }}", "target": "{{ answer }}"}
    ]
    library.write("datasets/toy.yaml", about)
    found = call_json("show", "toy/qa", "-n", "20", cwd=tmp_path)
    assert len(found["examples"]) == 16 and list(found["dropped"].values()) == [4]
    (reason,) = found["dropped"]
    shown = call("show", "toy/qa", "--row", "0", cwd=tmp_path).splitlines()
    assert shown[-1] == f"dropped 4 rows of the sample: {reason}"
    assert "FC3" in call("show", "toy/qa", "--split", "test", cwd=tmp_path, ok=2)
    assert "nosplit" in call("show", "toy/qa", "--split", "nosplit", cwd=tmp_path, ok=2)
