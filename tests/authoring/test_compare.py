"""What differs between libraries and between builds."""

from pathlib import Path

from toys import Library, dataset_of

from flancompile.authoring.compare import compare_builds, compare_libraries
from flancompile.dsl.library.library import load_library


def test_libraries(tmp_path: Path) -> None:
    one, two = Library(tmp_path / "a"), Library(tmp_path / "b")
    one.dataset()
    one.dataset("gone")
    about = dataset_of("toy")
    templates = about["tasks"]["qa"]["templates"]
    templates[0]["input"] = "Say: {{ question }}"
    templates[1]["name"] = "choose"
    about["tasks"]["qa"]["cluster"] = "sums"
    two.write("datasets/toy.yaml", about)
    two.write("datasets/new.yaml", dataset_of("new"))
    first, second = (load_library([x.root], builtin=False)[0] for x in (one, two))
    found = {d.task: d for d in compare_libraries(first, second)}
    assert found["gone/qa"].kind == "removed" and found["new/qa"].kind == "added"
    assert found["toy/qa"].details == (
        "cluster: 'arithmetic' → 'sums'", "template 'pick' removed", "template 'choose' added",
        "template 'plain': input", "mean length of a template's texts: 32 → 34 characters",
    )  # fmt: skip
    assert compare_libraries(first, first) == []


def test_the_rest_of_libraries(tmp_path: Path) -> None:
    one, two = Library(tmp_path / "a"), Library(tmp_path / "b")
    for library, rate in ((one, 1), (two, 3)):
        library.dataset()
        members = [
            {"name": "sums", "select": "all", "rate": rate},
            {"select": "inverted", "rate": 1, **({"cap_rows": 9} if rate == 3 else {})},
        ]
        about = {"mixture": "m", "shots": {0: 1, 2: rate}, "members": members[: rate + 1]}
        library.write("mixtures/m.yaml", about)
        library.recipe(seed=rate, lengths={"pack": 256 * rate})
        style = {"options": {"mine": {"item": f"{rate} {{{{ text }}}}"}}}
        library.write("styles/s.yaml", style)
        place = {"files": {"train": f"{rate}.jsonl"}}
        library.write("overlays/o.yaml", {"overlay": "o", "sources": {"toy": place}})
    two.write("mixtures/n.yaml", {"mixture": "n", "members": [{"select": "all"}]})
    first, second = (load_library([x.root], builtin=False)[0] for x in (one, two))
    found = {d.task: (d.kind, d.details) for d in compare_libraries(first, second)}
    assert found == {
        "mixture m": (
            "changed",
            (
                "shots.2: 1.0 → 3.0",
                "member 'sums': rate: 1.0 → 3.0",
                "member 'inverted': cap_rows: None → 9",
            ),
        ),
        "mixture n": ("added", ()),
        "options style mine": ("changed", ("item: '1 {{ text }}' → '3 {{ text }}'",)),
        "overlay o": ("changed", ("sources.toy.files.train: '1.jsonl' → '3.jsonl'",)),
        "recipe r": ("changed", ("lengths.pack: 256 → 768", "seed: 1 → 3")),
    }
    assert compare_libraries(first, first) == []


def test_builds(tmp_path: Path) -> None:
    library = Library(tmp_path / "lib")
    library.dataset()
    library.mixture()
    library.recipe()
    one = library.compile(tmp_path / "1", tmp_path / "c")
    library.mixture({"select": "all", "shots": {2: 1}})
    library.recipe(size={"examples": 200})
    two = library.compile(tmp_path / "2", tmp_path / "c", overwrite=True)
    found = {d.task: d.details for d in compare_builds(one.manifest, two.manifest)}
    assert any(d.startswith("examples 300 → 200") for d in found["(the build)"])
    assert any(d.startswith("shots: 0: 300 → ") for d in found["toy/qa"])
    assert compare_builds(one.manifest, one.manifest) == []
