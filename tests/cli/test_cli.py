"""The real command line, in a process of its own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import CODE, load, run
from toys import Library, dataset_of

from flancompile.errors import FlancompileError
from flancompile.store.build import Build


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = Library(tmp_path_factory.mktemp("home"))
    library.dataset()
    library.mixture(shots={0: 1, 2: 1})
    library.recipe(evaluate=[{"select": "all", "split": "validation", "max_rows": 5}])
    run("compile", "r", "--out", "build", cwd=library.root)
    return library.root


def test_help_names_every_command(home: Path) -> None:
    text = run("--help", cwd=home)
    for command in (
        "check",
        "ls",
        "show",
        "new",
        "diff",
        "import",
        "fmt",
        "plan",
        "compile",
        "train",
        "eval",
        "demo",
        "inspect",
        "explain",
        "verify",
        "export",
        "schema",
        "cache",
    ):
        assert command in text
        assert "Usage" in run(command, "--help", cwd=home)
    assert run("--version", cwd=home).startswith("flancompile ")


def test_a_broken_file_hides_no_other(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.dataset()
    (tmp_path / "datasets" / "a.yaml").write_text("a: [\n")
    (tmp_path / "datasets" / "m.yaml").write_bytes(b"\xff")
    (tmp_path / "datasets" / "z.yaml").write_text("a:   1\n")
    printed = run("fmt", ".", cwd=tmp_path, ok=2)
    assert "a.yaml:1:4: error FC101" in printed and "m.yaml:1:1: error FC101" in printed
    assert (tmp_path / "datasets" / "z.yaml").read_text() == "a: 1\n"
    files = [f"datasets/{name}.yaml" for name in ("a", "m", "toy")]
    found = json.loads(
        run("check", *files, "--format", "json", cwd=tmp_path, ok=1).rpartition("]")[0] + "]"
    )
    assert {Path(d["path"]).name for d in found} == {"a.yaml", "m.yaml"}
    assert '"FC107"' in run("check", "nosuch", "--format", "json", cwd=tmp_path, ok=1)


def test_check(home: Path, tmp_path: Path) -> None:
    assert "no errors or warnings" in run("check", ".", cwd=home)
    broken = Library(tmp_path)
    about = dataset_of("toy")
    about["tasks"]["qa"]["templates"][0]["input"] = "{{ questoin }} {{ answer }}"
    about["tasks"]["qa"]["sgnature"] = "x"
    broken.write("datasets/toy.yaml", about)
    text = run("check", ".", cwd=tmp_path, ok=1)
    assert "FC105" in text
    assert "did you mean 'signature'?" in text
    del about["tasks"]["qa"]["sgnature"]
    broken.write("datasets/toy.yaml", about)
    broken.write("mixtures/m.yaml", {"mixture": "m", "members": [{"select": "cluster:arithmatic"}]})
    found = subprocess.run(
        [sys.executable, "-c", CODE, "check", ".", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    codes = {d["code"] for d in json.loads(found.stdout)}
    assert {"FC202", "FC206", "FC406"} <= codes


@pytest.mark.slow
def test_what_is_allowed_is_counted_and_not_shown(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.dataset(allow={"FC332": "the splits are the same file"})
    assert run("check", ".", cwd=tmp_path).strip() == "no errors or warnings"
    rows = ("check", ".", "--data", "--all", "--strict")
    assert run(*rows, cwd=tmp_path).strip() == "no errors or warnings (1 allowed)"
    (diagnostic,) = json.loads(run(*rows, "--format", "json", cwd=tmp_path))
    assert (diagnostic["code"], diagnostic["allowed"]) == ("FC332", "the splits are the same file")
    assert run(*rows, "--format", "github", cwd=tmp_path) == ""
    (found,) = json.loads(run(*rows, "--format", "sarif", cwd=tmp_path))["runs"][0]["results"]
    assert found["ruleId"] == "FC332"
    assert found["suppressions"] == [
        {"kind": "inSource", "justification": "the splits are the same file"}
    ]
    library.dataset()
    assert "0 errors, 1 warning" in run(*rows, cwd=tmp_path, ok=1)
    (diagnostic,) = json.loads(run(*rows, "--format", "json", cwd=tmp_path, ok=1))
    assert "allowed" not in diagnostic


def test_ls(home: Path) -> None:
    (task,) = load("ls", cwd=home)
    assert (task["task"], task["templates"]) == ("toy/qa", 2)
    assert load("ls", "-s", "inverted", cwd=home) == []
    assert "r" in run("ls", "recipes", cwd=home)
    assert "paren_letter" in run("ls", "styles", cwd=home)
    assert "did you mean 'tasks'" in run("ls", "task", cwd=home, ok=2)


def test_show(home: Path) -> None:
    text = run("show", "toy/qa", "-n", "1", "--shots", "2", "--row", "4", cwd=home)
    assert "What is 4 plus 2?" in text
    (example,) = load(
        "show", "toy/qa", "-n", "1", "-t", "pick", "--options", "--option-style", "dash", cwd=home
    )["examples"]
    assert example["prompt"].count("\n- ") == 4
    assert "did you mean 'toy/qa'" in run("show", "toy/q", cwd=home, ok=2)
    assert "did you mean 'pick'" in run("show", "toy/qa", "-t", "pik", cwd=home, ok=2)
    assert "⏎" in run("show", "toy/qa", "-w", "-n", "1", "--shots", "1", cwd=home)


def test_plan(home: Path) -> None:
    plan = load("plan", "r", cwd=home)
    assert plan["examples"] == 300
    assert plan["steps"] == -(-plan["packs"] // 64)
    assert "did you mean 'r'" not in run("plan", "nothing", cwd=home, ok=2)


def test_inspect_and_explain_and_verify(home: Path) -> None:
    assert "300 examples in" in run("inspect", "build", cwd=home)
    assert "segment 0" in run("inspect", "build", "--pack", "1", cwd=home)
    about = load("explain", "build", "--pack", "1", "--segment", "0", cwd=home)
    assert (about["task"], about["pack"], about["segment"]) == ("toy/qa", 1, 0)
    assert sum(about["runs"]) == len(about["tokens"]["tokens"])
    assert all(e.isdigit() for e in about["exemplars"])
    by_step = load("explain", "build", "--step", "0", "--row", "2", "--batch-packs", "4", cwd=home)
    assert by_step["segment"] == 0
    assert "needs one of" in run("explain", "build", cwd=home, ok=2)
    assert "there is no pack 999" in run("explain", "build", "--pack", "999", cwd=home, ok=2)
    assert "sound" in run("verify", "build", cwd=home)
    assert "is not a build" in run("verify", "nothing", cwd=home, ok=2)


def test_verify_fails_on_a_broken_build(home: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(home / "build", tmp_path / "b")
    path = next((tmp_path / "b" / "packs").iterdir())
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(data)
    assert "packs/00000" in run("verify", "b", cwd=tmp_path, ok=1)


def test_export(home: Path, tmp_path: Path) -> None:
    for kind, name in (("parquet", "a.parquet"), ("jsonl", "a.jsonl"), ("hf-disk", "hf")):
        run("export", str(home / "build"), "--to", kind, "--out", name, cwd=tmp_path)
        assert (tmp_path / name).exists()


def test_schema(home: Path, tmp_path: Path) -> None:
    run("schema", "--out", "s", cwd=tmp_path)
    assert len(list((tmp_path / "s").iterdir())) == 6
    assert json.loads(run("schema", "recipe", cwd=tmp_path))["title"] == "Recipe"


def test_cache(home: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "c")
    run("compile", "r", "--out", str(tmp_path / "b"), "--cache", folder, cwd=home)
    assert load("cache", "--cache", folder, cwd=home)["entries"] >= 3
    swept = load("cache", "gc", "--limit", "0", "--cache", folder, cwd=home)
    assert swept["removed"] == swept["entries"]
    run("compile", "r", "--out", str(tmp_path / "b"), "--cache", folder, cwd=home)
    assert "is not a size" in run("cache", "gc", "--limit", "much", cwd=home, ok=2)


def test_mistakes_on_the_command_line(home: Path) -> None:
    assert "No such option" in run("compile", "r", "--uot", "x", cwd=home, ok=2)
    assert "there is no recipe 'rr'" in run("compile", "rr", "--out", "x", cwd=home, ok=2)
    assert "there is no recipe file" in run("compile", "gone.yaml", "--out", "x", cwd=home, ok=2)
    assert "there is no library folder" in run("ls", "-l", "nowhere", cwd=home, ok=2)


def test_a_recipe_by_its_path_brings_its_library(home: Path, tmp_path: Path) -> None:
    run("compile", str(home / "recipes" / "r.yaml"), "--out", "b", cwd=tmp_path)
    assert (tmp_path / "b" / "manifest.json").is_file()


def test_a_build_in_the_folder_where_one_stands(home: Path, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    run("compile", "r", "--library", str(home), "--out", ".", cwd=tmp_path / "here")
    assert run("verify", "here", cwd=tmp_path).startswith("sound")


@pytest.mark.parametrize("words", [("--out", "file/b"), ("--out", "b", "--cache", "file/c")])
def test_places_that_cannot_be_used_are_named(
    home: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("x")
    said = run("compile", "r", "--library", str(home), *words, cwd=tmp_path, ok=2)
    assert "FC516" in said and "file" in said and "Traceback" not in said
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ledger.parquet", "examples", "packs", "eval"])
def test_damaged_files_of_a_build_are_named(home: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(home / "build", tmp_path / "b")
    (path,) = [
        p for p in (tmp_path / "b").rglob("*") if p.is_file() and name in (p.name, p.parent.name)
    ]
    path.write_bytes(path.read_bytes()[:-20])
    commands: dict[str, list[tuple[str, ...]]] = {
        "ledger.parquet": [("inspect", "b")],
        "examples": [
            ("inspect", "b", "--pack", "0"),
            ("explain", "b", "--pack", "0"),
            ("export", "b", "--to", "jsonl", "--out", "x"),
        ],
        "packs": [("export", "b", "--to", to, "--out", "x") for to in ("parquet", "hf-disk")],
        "eval": [],
    }
    for words in commands[name]:
        said = run(*words, cwd=tmp_path, ok=2)
        assert "FC506" in said and path.name in said and "Traceback" not in said
    assert path.name in run("verify", "b", cwd=tmp_path, ok=1)
    if name == "eval":
        with pytest.raises(FlancompileError, match=r"FC506.*damaged"):
            Build.open(tmp_path / "b").evaluation("toy/qa")


# Ctrl-C reaches the whole group when the first object is there: the workers are at the others
INTERRUPTED = """
import os, signal
from flancompile.compiler.objects.streams import Stream
add = Stream.add
def add_and_interrupt(*given):
    add(*given)
    os.killpg(0, signal.SIGINT)
Stream.add = add_and_interrupt
from flancompile.cli import main
main()
"""


@pytest.mark.slow
def test_ctrl_c_is_clean(tmp_path: Path) -> None:
    library = Library(tmp_path / "library")
    library.dataset(rows=9000)
    library.mixture(shots={5: 1})
    library.recipe(size={"examples": 400_000})
    words = [
        "compile",
        "r",
        "--out",
        str(tmp_path / "b"),
        "--cache",
        str(tmp_path / "c"),
        "-j",
        "2",
    ]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *words],
        cwd=library.root,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("show toy/qa --row 900", "FC308"),
        ("compile r --out other --memory lots", "FC415"),
        ("ls taks", "FC416"),
        ("inspect build --pack 9999", "FC507"),
        ("export build --to csv -o x", "FC508"),
        ("explain build", "FC509"),
    ],
)
def test_a_wrong_value_on_the_command_line_has_its_code(
    home: Path, command: str, code: str
) -> None:
    given = command.split()
    more = ["--library", "."] if given[0] in ("show", "ls") else []
    done = subprocess.run(
        [sys.executable, "-c", CODE, *given, *more], cwd=home, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert code in done.stdout + done.stderr
