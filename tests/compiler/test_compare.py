"""What differs between libraries and between builds."""

from pathlib import Path

from toys import Library, dataset_of

from flancompile.compiler.compare import compare_builds, compare_libraries
from flancompile.dsl.library import load_library


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
        "template 'plain': input",
    )  # fmt: skip
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
