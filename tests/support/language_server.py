"""A small client of the YAML language server, over its standard input and output."""

import json
import os
import subprocess
import threading
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
SERVER = "yaml-language-server/bin/yaml-language-server"
SECONDS = 30.0


def server_path() -> Path | None:
    """Where `make editors` installed the server; None where it did not."""
    folder = Path(os.environ.get("NODE_FOLDER", ROOT / ".node"))
    path = folder / "node_modules" / SERVER
    return path if path.is_file() else None


class Client:
    """One running server."""

    def __init__(self, server: Path) -> None:
        words = ["node", str(server), "--stdio"]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.answers: Queue[dict[str, Any]] = Queue()
        self.number = 0
        threading.Thread(target=self._read, daemon=True).start()
        about: dict[str, Any] = {"processId": os.getpid(), "rootUri": None, "capabilities": {}}
        self.ask("initialize", about)
        self.tell("initialized", {})
        yaml = {"validate": True, "completion": True, "schemaStore": {"enable": False}}
        self.tell("workspace/didChangeConfiguration", {"settings": {"yaml": yaml}})

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while line := stream.readline():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
                while stream.readline().strip():
                    pass
                self.answers.put(json.loads(stream.read(length)))

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def tell(self, method: str, params: Any) -> None:
        """A notice."""
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: Any) -> Any:
        """A question, and its answer."""
        self.number += 1
        number = self.number
        self._send({"id": number, "method": method, "params": params})
        return self.wait(lambda m: m.get("id") == number and "method" not in m)["result"]

    def wait(self, wanted: Any) -> dict[str, Any]:
        """The next message that is wanted; what the server asks of us is answered on the way."""
        while True:
            try:
                message = self.answers.get(timeout=SECONDS)
            except Empty:
                raise AssertionError("the language server does not answer") from None
            if wanted(message):
                return message
            if "id" in message and "method" in message:
                items = (message.get("params") or {}).get("items") or []
                self._send({"id": message["id"], "result": [None] * len(items)})

    def diagnostics(self, path: Path, text: str) -> list[str]:
        """What the server says of a file."""
        uri = path.as_uri()
        about = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": about})
        found = self.wait(
            lambda m: (
                m.get("method") == "textDocument/publishDiagnostics" and m["params"]["uri"] == uri
            )
        )
        return [d["message"] for d in found["params"]["diagnostics"]]

    def completions(self, path: Path, line: int, character: int) -> list[str]:
        """What the server offers at a place of a file that is open (counted from 0)."""
        where = {"line": line, "character": character}
        about = {"textDocument": {"uri": path.as_uri()}, "position": where}
        found = self.ask("textDocument/completion", about)
        items = found["items"] if isinstance(found, dict) else found or []
        return [item["label"] for item in items]
