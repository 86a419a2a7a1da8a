import importlib.util
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest
from toys import Library

import flancompile
from flancompile.errors import FlancompileError

ROOT = Path(__file__).parents[1]


def test_a_list_needs_no_jinja() -> None:
    code = (
        "import sys; sys.argv = ['flancompile', 'ls', '--library', 'demo']\n"
        "from flancompile.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('jinja2', 'numpy', 'pyarrow', 'rich.table') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_importing_costs_nothing() -> None:
    code = "import sys, flancompile; print([m for m in ('pyarrow', 'numpy', 'jinja2', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom flancompile.cli import main\nsys.argv = ['flancompile', '--help']\n"
        "try: main()\nexcept SystemExit as end: assert end.code == 0\n"
        "print([m for m in ('pyarrow', 'numpy', 'jinja2', 'pydantic', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_training_without_jax_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(tmp_path)
    library.dataset(rows=20)
    library.mixture()
    library.recipe(size={"examples": 10})
    library.compile(tmp_path / "build", tmp_path / "cache")
    library.write("runs/r.yaml", {
        "run": "r", "build": "../build", "steps": 1, "batch_packs": 1,
        "model": {"layers": 1, "width": 8, "heads": 2, "mlp": 8},
    })  # fmt: skip
    real = importlib.util.find_spec
    lacking = ("jax", "optax")
    monkeypatch.setattr(importlib.util, "find_spec", lambda m: None if m in lacking else real(m))
    with pytest.raises(FlancompileError, match="jax, optax is not installed") as caught:
        flancompile.train(tmp_path / "runs" / "r.yaml")
    assert caught.value.code == "FC611"


def test_every_name_of_the_package_is_available() -> None:
    for name in flancompile.__all__:
        assert getattr(flancompile, name)
    with pytest.raises(AttributeError):
        _ = flancompile.nothing


@pytest.mark.slow
def test_the_wheel_carries_library_and_schemas(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = (
        "import flancompile, pathlib\n"
        "from flancompile.dsl.library.library import builtin_library, load_library\n"
        "library, found = load_library()\n"
        "assert pathlib.Path(flancompile.__file__).is_relative_to(pathlib.Path('site').resolve())\n"
        "assert builtin_library() == pathlib.Path(flancompile.__file__).parent / 'templates'\n"
        "assert not found and library.option_styles and library.shots_styles\n"
        "assert (pathlib.Path(flancompile.__file__).parent / 'schemas/dataset.schema.json').is_file()\n"
    )
    run = [sys.executable, "-c", "import sys; sys.path.insert(0, 'site')\n" + code]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_file_names_a_registry_or_this_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    wrong = []
    for name in listed.stdout.split():
        path = ROOT / name
        if path.suffix in (".py", ".toml", ".txt", ".md", ".yaml", ".json", "") and path.is_file():
            text = path.read_text(errors="ignore")
            marks = (
                "find-" + "links",
                "index-" + "url",
                "/simple" + "/",
                "file:" + "///",
                "/ro" + "ot/",
                "/wo" + "rk/",
            )
            wrong += [f"{name}: {m}" for m in marks if m in text]
    assert wrong == []


def module_names() -> Iterator[PurePath]:
    """Paths of all modules in the package, without the suffix; folders' `__init__.py` apart."""
    package = ROOT / "flancompile"
    for path in sorted(package.rglob("*.py")):
        if path.name != "__init__.py":
            yield path.relative_to(package).with_suffix("")


def test_each_module_has_a_test_file_at_its_place() -> None:
    names = list(module_names())
    assert len(names) > 200
    lacking = {
        name.as_posix()
        for name in names
        if not (ROOT / "tests" / name.parent / f"test_{name.name.strip('_')}.py").is_file()
    }
    assert lacking == set()
