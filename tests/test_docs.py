"""The README's and the docs' examples run, in the order in which they stand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"<!-- (file: (?P<file>\S+)|runs) -->\n```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL
)
PAGES = [
    p
    for p in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if "<!-- runs" in p.read_text()
]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_examples_run(page: Path, tmp_path: Path) -> None:
    ran = 0
    bin_folder = str(Path(sys.executable).parent)
    for block in BLOCK.finditer(page.read_text()):
        if block["file"]:
            path = tmp_path / block["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block["text"])
            continue
        command = [sys.executable, "-c", block["text"]]
        if block["kind"] == "bash":
            command = ["bash", "-euc", f'export PATH="{bin_folder}:$PATH"\n{block["text"]}']
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block['text']}\n{done.stdout}\n{done.stderr}"
        ran += 1
    assert ran > 0


def test_the_map_names_folders_that_are_there() -> None:
    names = re.findall(r"^\| `([\w/]+/)`", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(names) > 5
    for name in names:
        assert (ROOT / name).is_dir(), name


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/glossary.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_names_exists(page: str) -> None:
    named = re.findall(r"`([\w./-]+(?:\.(?:py|md|toml|ya?ml)|/))`", (ROOT / page).read_text())
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_paths_of_the_repository_that_pages_name_exist() -> None:
    pages = [ROOT / n for n in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")]
    path = (
        r"\b(?:flancompile|tests|templates|benchmarks)/[\w./-]+\.(?:py|ya?ml|jsonl?|md|svg|txt)\b"
    )
    named = [
        name
        for page in (*pages, *(ROOT / "docs").glob("*.md"))
        for name in re.findall(path, page.read_text())
    ]
    assert len(named) > 200
    assert [name for name in named if not (ROOT / name).exists()] == []


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as GitHub and MyST make them."""
    headings = re.findall(r"^#{1,3} (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_links_lead_to_pages_and_headings() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    links = [
        (path, path.parent / target if target else path, anchor)
        for path in pages
        for target, anchor in re.findall(
            r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", re.sub(r"`[^`\n]+`", "", path.read_text())
        )
    ]
    assert len(links) > 50
    for path, other, anchor in links:
        assert other.exists(), f"{path.name}: {other}"
        assert not anchor or anchor in anchors(other), f"{path.name}: {other.name}#{anchor}"
