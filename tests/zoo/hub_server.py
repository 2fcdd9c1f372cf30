"""The Hugging Face hub as far as huggingface_hub asks for it: one folder, on this machine."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = "someone/restorer"


class Hub(BaseHTTPRequestHandler):
    """Answers for `NAME` with the files of a folder; everything else is not found."""

    def __init__(self, folder, *given):
        self.folder = folder
        super().__init__(*given)

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def log_message(self, *given):
        pass

    @property
    def commit(self):
        return hashlib.sha1(b"".join(each.read_bytes() for each in self.files())).hexdigest()

    def files(self):
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def answer(self):
        path = self.path.partition("?")[0]
        resolve = f"/{NAME}/resolve/"
        if path.startswith(f"/api/models/{NAME}/revision/"):
            names = [{"rfilename": each.name} for each in self.files()]
            return self.send(json.dumps({"id": NAME, "sha": self.commit, "siblings": names}))
        if path.startswith(f"/api/models/{NAME}/tree/"):
            return self.send(json.dumps([self.entry(each) for each in self.files()]))
        if path.startswith(resolve):
            revision, _, name = path.removeprefix(resolve).partition("/")
            if revision not in ("main", self.commit):
                return self.missing("RevisionNotFound")
            if (file := self.folder / name) in self.files():
                return self.send(file.read_bytes())
            return self.missing("EntryNotFound")
        return self.missing("RepoNotFound")

    def entry(self, path):
        content = path.read_bytes()
        blob = hashlib.sha1(content).hexdigest()
        return {"type": "file", "path": path.name, "size": len(content), "oid": blob}

    def missing(self, code):
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send(self, content):
        content = content.encode() if isinstance(content, str) else content
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.commit)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Yield the address of a hub that has a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
