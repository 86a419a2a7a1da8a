"""The YAML language server accepts our files by our schemas, and completes from them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from language_server import ROOT, Client, server_path

SCHEMAS = {
    "datasets": "dataset",
    "mixtures": "mixture",
    "recipes": "recipe",
    "styles": "styles",
    "overlays": "overlay",
    "runs": "run",
}
FILES = [
    path
    for folder in ("templates", "tests/real", "tests/instructions")
    for path in sorted((ROOT / folder).rglob("*.yaml"))
    if path.parent.name in SCHEMAS
]
DATASET = """\
# yaml-language-server: $schema={schema}
source: {{files: {{train: rows.jsonl}}}}
fields: {{question: question, answer: answer}}
tasks:
  qa:
    signature: question -> answer
    templates:
      - name: plain
        input: "{{{{ question }}}}"
        target: "{{{{ answer }}}}"
"""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    server = server_path()
    if server is None:
        pytest.skip("no YAML language server here: `make editors` brings it")
    with Client(server) as running:
        yield running


def headed(text: str, schema: str) -> str:
    """The file's text with a modeline of its schema's place here, its own one taken off."""
    lines = [line for line in text.split("\n") if "yaml-language-server" not in line]
    place = (ROOT / "schemas" / f"{schema}.schema.json").as_uri()
    return f"# yaml-language-server: $schema={place}\n" + "\n".join(lines)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_each_file_is_accepted(client: Client, path: Path) -> None:
    assert client.diagnostics(path, headed(path.read_text(), SCHEMAS[path.parent.name])) == []


def dataset() -> str:
    return DATASET.format(schema=(ROOT / "schemas" / "dataset.schema.json").as_uri())


def test_a_misspelt_key_is_told(client: Client, tmp_path: Path) -> None:
    text = dataset().replace("signature:", "signatur:")
    said = client.diagnostics(tmp_path / "d.yaml", text)
    assert any("signatur" in message for message in said)


def test_a_wrong_value_is_told(client: Client, tmp_path: Path) -> None:
    text = dataset().replace("name: plain", "name: plain\n        options: sometimes")
    said = client.diagnostics(tmp_path / "d.yaml", text)
    assert any("none" in message and "optional" in message for message in said)


def test_keys_and_values_are_completed(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    text = dataset() + "        opt\n"
    client.diagnostics(path, text)
    line = text.count("\n") - 1
    assert "options" in client.completions(path, line, 11)
    other = tmp_path / "e.yaml"
    text = dataset() + "        options: \n"
    client.diagnostics(other, text)
    offered = client.completions(other, text.count("\n") - 1, 17)
    assert {"none", "optional", "required"} <= {o.strip('"') for o in offered}


def test_keys_have_their_descriptions(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    client.diagnostics(path, dataset())
    where = {"line": 5, "character": 6}
    found = client.ask(
        "textDocument/hover", {"textDocument": {"uri": path.as_uri()}, "position": where}
    )
    assert "of field names" in str(found)
