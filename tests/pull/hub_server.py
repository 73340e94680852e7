"""A server on this machine that speaks the HTTP of Hugging Face, ModelScope and a Python package index, and can fail in
the ways that networks do."""
import hashlib
import http.server
import json
import re
import socket
import threading
import time
import urllib.parse

LFS_BYTES = 1000  # Hugging Face tells checksums of larger files only
LIST_PAGE = 3  # files on one page of Hugging Face's list
PIECE = 16384


class HubServer:
    """What it serves may be changed at any time. Use as `with HubServer() as server:`."""

    def __init__(self, ssl_context=None):
        self.hugging_face = {}  # "OWNER/NAME": {path: bytes}
        self.model_scope = {}
        self.packages = {}  # package: {file name: bytes}
        self.html_index = False
        self.index_sizes = True
        self.cut = {}  # file's last name: bytes to send before the connection is dropped, once each
        self.stalled = set()  # last names whose transfer stops for good after its first piece
        self.changed = {}  # last name: bytes that are sent in place of those that were announced
        self.slow = 0  # seconds between pieces
        self.ranges = True
        self.requests = []  # (path, Range header or None)
        self._stop = threading.Event()
        server = self

        class Handler(_Handler):
            hub = server

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        scheme = "http"
        if ssl_context:
            self._http.socket = ssl_context.wrap_socket(self._http.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._http.server_port}"

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stop.set()
        self._http.shutdown()
        self._http.server_close()

    def wait_until_stopped(self):
        self._stop.wait(60)

    def asked_for(self, name):
        """The Range headers of the requests for the bytes of a file."""
        return [wanted for path, wanted in self.requests if path.startswith("/cdn/") and path.endswith("/" + name)]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub = None

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)  # a proxy gets the whole URL
        path, query = urllib.parse.unquote(url.path), dict(urllib.parse.parse_qsl(url.query))
        self.hub.requests.append((path, self.headers.get("Range")))
        for pattern, answer in (
                (r"/api/models/([^/]+/[^/]+)/tree/main", self.tree),
                (r"/api/v1/models/([^/]+/[^/]+)/repo/files", self.files),
                (r"/api/v1/models/([^/]+/[^/]+)/repo", self.model_scope_file),
                (r"/simple/([^/]+)/", self.package),
                (r"/([^/]+/[^/]+)/resolve/main/(.+)", self.hugging_face_file),
                (r"/cdn/(.+)", self.cdn)):
            match = re.fullmatch(pattern, path)
            if match:
                return answer(query, *match.groups())
        return self.send_error(404)

    def log_message(self, *_):
        pass

    def answer(self, body, content_type="application/json", headers=()):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, target):
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def tree(self, query, repository):
        if repository not in self.hub.hugging_face:
            return self.send_error(401)  # what the hub says of a repository that is not there
        entries = [{"type": "directory", "oid": "0", "size": 0, "path": "sub"}]
        for path, data in self.hub.hugging_face[repository].items():
            entry = {"type": "file", "oid": "0", "size": len(data), "path": path}
            if len(data) > LFS_BYTES:
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            entries.append(entry)
        start = int(query.get("cursor", 0))
        headers = []
        if start + LIST_PAGE < len(entries):
            following = f"/api/models/{repository}/tree/main?recursive=true&cursor={start + LIST_PAGE}"
            headers = [("Link", f'<{following}>; rel="next"')]
        return self.answer(json.dumps(entries[start:start + LIST_PAGE]).encode(), headers=headers)

    def files(self, query, repository):
        if repository not in self.hub.model_scope:
            return self.answer(b'{"Code": 10010205001, "Data": null, "Message": "Record not found", "Success": false}')
        files = [{"Type": "tree", "Path": "sub", "Name": "sub", "Size": 0, "Sha256": ""}]
        files += [{"Type": "blob", "Path": path, "Name": path.split("/")[-1], "Size": len(data), "IsLFS": False,
                   "Sha256": hashlib.sha256(data).hexdigest()}
                  for path, data in self.hub.model_scope[repository].items()]
        return self.answer(json.dumps({"Code": 200, "Data": {"Files": files}, "Success": True}).encode())

    def package(self, _, package):
        if package not in self.hub.packages:
            return self.send_error(404)
        files = self.hub.packages[package].items()
        if self.hub.html_index:
            anchors = [f'<a href="../../cdn/packages/{name}?a=1&amp;b=2#sha256={hashlib.sha256(data).hexdigest()}">{name}</a>'
                       for name, data in files]
            return self.answer(f"<!DOCTYPE html><html><body>{'<br>'.join(anchors)}</body></html>".encode(), "text/html")
        entries = [{"filename": name, "url": f"../../cdn/packages/{name}", "yanked": False,
                    "hashes": {"sha256": hashlib.sha256(data).hexdigest()}} for name, data in files]
        if self.hub.index_sizes:
            for entry, (_, data) in zip(entries, files):
                entry["size"] = len(data)
        page = {"meta": {"api-version": "1.1"}, "name": package, "files": entries}
        return self.answer(json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json")

    def hugging_face_file(self, _, repository, path):
        self.redirect(f"/cdn/hf/{repository}/{urllib.parse.quote(path)}?signature=secret")

    def model_scope_file(self, query, repository):
        self.redirect(f"/cdn/ms/{repository}/{urllib.parse.quote(query['FilePath'])}")

    def cdn(self, _, path):
        store, *rest = path.split("/")
        try:
            if store == "packages":
                data = next(files[rest[0]] for files in self.hub.packages.values() if rest[0] in files)
            else:
                repositories = self.hub.hugging_face if store == "hf" else self.hub.model_scope
                data = repositories["/".join(rest[:2])]["/".join(rest[2:])]
        except (KeyError, StopIteration):
            return self.send_error(404)
        return self.send_data(rest[-1], self.hub.changed.get(rest[-1], data))

    def send_data(self, name, data):
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if self.hub.ranges else None
        if wanted:
            start = int(wanted[1])
            if start >= len(data):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                return self.end_headers()
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = min(len(data), start + self.hub.cut.pop(name, len(data)))
        for at in range(start, end, PIECE):
            self.wfile.write(data[at:min(at + PIECE, end)])
            time.sleep(self.hub.slow)
            if name in self.hub.stalled:
                self.hub.wait_until_stopped()
        if end < len(data):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)


def dead_url():
    """Of a port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"
