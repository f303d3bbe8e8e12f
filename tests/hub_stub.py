"""The part of the Hub's HTTP API that ``huggingface_hub`` uses for repositories, on loopback.

``python tests/hub_stub.py`` prints its address and serves until its standard input is closed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_" + "stubtokenofthetests"
READ_ONLY = "hf_" + "stubtokenthatreads"


class Repository:
    """Branches and commits; a commit is a dict of path → content."""

    def __init__(self, private: bool) -> None:
        self.private = private
        self.commits: dict[str, dict[str, bytes]] = {}
        self.branches: dict[str, str] = {}
        self.messages: dict[str, str] = {}
        self.add("main", {".gitattributes": b"*.safetensors filter=lfs\n"}, "initial commit")

    def add(self, branch: str, files: dict[str, bytes], message: str) -> str:
        """Commit the files to a branch, and return the hash."""
        names = {name: hashlib.sha1(content).hexdigest() for name, content in files.items()}
        text = json.dumps([len(self.commits), branch, names])
        commit = hashlib.sha1(text.encode()).hexdigest()
        self.commits[commit], self.branches[branch] = files, commit
        self.messages[commit] = message
        return commit

    def resolve(self, revision: str) -> str | None:
        """Return the commit of a revision."""
        return revision if revision in self.commits else self.branches.get(revision)


class Hub(ThreadingHTTPServer):
    """A Hub in memory. ``fail`` maps a method and a part of a path to a status to answer with."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, Repository] = {}
        self.blobs: dict[str, bytes] = {}
        self.fail: dict[tuple[str, str], int] = {}
        self.requests: list[str] = []
        self.hold: tuple[str, str] | None = None
        self.held = threading.Event()
        self.release = threading.Event()

    @property
    def endpoint(self) -> str:
        """The address of the Hub."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        """Return the files of a repository."""
        repository = self.repositories[repo]
        return repository.commits[repository.resolve(revision)]

    def start(self) -> Hub:
        """Serve in a thread."""
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *args) -> None:
        """Say nothing."""

    def handle_one_request(self) -> None:
        """Ignore clients that went away."""
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, status: int, value=None, headers=None, body: bytes | None = None) -> None:
        """Send JSON, or bytes."""
        content = json.dumps({} if value is None else value).encode() if body is None else body
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def refuse(self, status: int, code: str = "", message: str = "refused") -> None:
        """Send an error as the Hub does."""
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self.answer(status, {"error": message}, headers)

    def body(self) -> bytes:
        """Return the body of the request."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def dispatch(self) -> None:
        """Find the method for a path."""
        split = urlsplit(self.path)
        path, self.query = split.path, parse_qs(split.query)
        self.content = self.body() if self.command in ("POST", "PUT") else b""
        self.server.requests.append(f"{self.command} {path}")
        hold = self.server.hold
        if hold is not None and self.command == hold[0] and hold[1] in path:
            self.server.held.set()
            self.server.release.wait(30)
        for (method, part), status in self.server.fail.items():
            if self.command == method and part in path:
                self.refuse(status)
                return
        for method, pattern, name in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and self.command in method.split():
                getattr(self, name)(*map(unquote, match.groups()))
                return
        self.refuse(404, "EntryNotFound", f"no route {path}")

    do_GET = do_HEAD = do_POST = do_PUT = dispatch

    @property
    def token(self) -> str | None:
        """The token of the caller."""
        given = self.headers.get("Authorization")
        return given.removeprefix("Bearer ") if given else None

    def may_write(self) -> bool:
        """Answer with an error unless the caller may write."""
        if self.token not in (TOKEN, READ_ONLY):
            self.refuse(401, message="Invalid username or password.")
        elif self.token == READ_ONLY:
            self.refuse(403, message="Forbidden: pass a token with write access")
        return self.token == TOKEN

    def repository(self, repo: str, revision: str = "main"):
        """Return a repository and a commit the caller may see, or answer with an error."""
        found = self.server.repositories.get(repo)
        if self.token is not None and self.token not in (TOKEN, READ_ONLY):
            self.refuse(401, message="Invalid credentials in Authorization header")
        elif found is None or (found.private and self.token is None):
            self.refuse(401 if self.token is None else 404, "RepoNotFound", "Repository not found")
        elif found.resolve(revision) is None:
            self.refuse(404, "RevisionNotFound", "Invalid rev id")
        else:
            return found, found.resolve(revision)
        return None

    def info(self, repo: str, revision: str = "main") -> None:
        """Answer with the files of a commit."""
        found = self.repository(repo, revision)
        if found is None:
            return
        repository, commit = found
        siblings = [
            {"rfilename": name, "size": len(content)}
            for name, content in repository.commits[commit].items()
        ]
        self.answer(
            200,
            {
                "id": repo,
                "modelId": repo,
                "sha": commit,
                "private": repository.private,
                "siblings": siblings,
                "tags": [],
            },
        )

    def tree(self, repo: str, revision: str) -> None:
        """Answer with the files of a commit, as a tree."""
        found = self.repository(repo, revision)
        if found is None:
            return
        repository, commit = found
        entries = [
            {"type": "file", "path": name, "size": len(content), "oid": _git_oid(content)}
            for name, content in repository.commits[commit].items()
        ]
        self.answer(200, entries)

    def create(self) -> None:
        """Create a repository."""
        if not self.may_write():
            return
        wanted = json.loads(self.content)
        repo = f"{wanted['organization']}/{wanted['name']}"
        if repo in self.server.repositories:
            self.refuse(409, message="You already created this model repo")
            return
        private = wanted.get("visibility") == "private" or wanted.get("private") is True
        self.server.repositories[repo] = Repository(private)
        self.answer(200, {"url": f"{self.server.endpoint}/{repo}", "id": repo})

    def branch(self, repo: str, name: str) -> None:
        """Create a branch."""
        if not self.may_write():
            return
        repository = self.server.repositories[repo]
        if name in repository.branches:
            self.refuse(409, message="Reference already exists")
            return
        repository.branches[name] = repository.branches["main"]
        self.answer(200)

    def yaml(self) -> None:
        """Accept a model card whose metadata is YAML."""
        import yaml

        content = json.loads(self.content)["content"]
        metadata = yaml.safe_load(content.split("---")[1])
        self.answer(200, {"errors": [], "warnings": [], "metadata": sorted(metadata)})

    def preupload(self, repo: str, revision: str) -> None:
        """Say which files are large."""
        if not self.may_write():
            return
        files = self.server.files(repo, revision)
        answers = [
            {
                "path": file["path"],
                "uploadMode": "lfs"
                if file["path"].endswith((".safetensors", ".onnx"))
                else "regular",
                "shouldIgnore": False,
                "oid": _git_oid(files[file["path"]]) if file["path"] in files else None,
            }
            for file in json.loads(self.content)["files"]
        ]
        self.answer(200, {"files": answers})

    def batch(self, repo: str) -> None:
        """Say where to upload large files."""
        objects = []
        for each in json.loads(self.content)["objects"]:
            known = each["oid"] in self.server.blobs
            upload = {"upload": {"href": f"{self.server.endpoint}/blob/{each['oid']}"}}
            objects.append(each | ({} if known else {"actions": upload}))
        self.answer(200, {"transfer": "basic", "objects": objects})

    def blob(self, oid: str) -> None:
        """Store a large file."""
        if hashlib.sha256(self.content).hexdigest() != oid:
            self.refuse(400)
            return
        self.server.blobs[oid] = self.content
        self.answer(200)

    def commit(self, repo: str, revision: str) -> None:
        """Commit: everything or nothing."""
        if not self.may_write():
            return
        repository = self.server.repositories[repo]
        lines = [json.loads(line) for line in self.content.splitlines()]
        header = lines[0]["value"]
        if header.get("parentCommit") not in (None, repository.branches[revision]):
            self.refuse(412, message="A commit has happened since")
            return
        files = dict(self.server.files(repo, revision))
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.blobs[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        commit = repository.add(revision, files, header["summary"])
        url = f"{self.server.endpoint}/{repo}/commit/{commit}"
        self.answer(200, {"commitUrl": url, "commitOid": commit, "success": True})

    def resolve(self, repo: str, revision: str, path: str) -> None:
        """Answer with the content of a file."""
        found = self.repository(repo, revision)
        if found is None:
            return
        repository, commit = found
        content = repository.commits[commit].get(path)
        if content is None:
            self.refuse(404, "EntryNotFound", "Entry not found")
            return
        headers = {"X-Repo-Commit": commit, "ETag": f'"{_git_oid(content)}"'}
        self.answer(200, body=content, headers=headers)


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


REPO = r"([\w.-]+/[\w.-]+)"
ROUTES = (
    ("GET", f"/api/models/{REPO}", "info"),
    ("GET", f"/api/models/{REPO}/revision/([^/]+)", "info"),
    ("GET", f"/api/models/{REPO}/tree/([^/]+)", "tree"),
    ("POST", "/api/repos/create", "create"),
    ("POST", f"/api/models/{REPO}/branch/([^/]+)", "branch"),
    ("POST", "/api/validate-yaml", "yaml"),
    ("POST", f"/api/models/{REPO}/preupload/([^/]+)", "preupload"),
    ("POST", f"/{REPO}.git/info/lfs/objects/batch", "batch"),
    ("PUT", "/blob/([0-9a-f]+)", "blob"),
    ("POST", f"/api/models/{REPO}/commit/([^/]+)", "commit"),
    ("GET HEAD", f"/{REPO}/resolve/([^/]+)/(.+)", "resolve"),
)


if __name__ == "__main__":
    hub = Hub().start()
    print(hub.endpoint, flush=True)
    sys.stdin.read()
