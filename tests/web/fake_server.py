"""A server that speaks docs/openapi.json and understands no audio: for the tests of the page and of the documentation.

usage: fake_server.py [PORT]
"""
import base64
import email
import email.policy
import hashlib
import http.server
import json
import pathlib
import struct
import sys
import threading
import time
import urllib.parse
import uuid

import canned

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WEB = ROOT / "web"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".svg": "image/svg+xml"}
POLICY = ("default-src 'self'; media-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
          "frame-ancestors 'none'")
SPEECH_TYPES = {"txt": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt", "tsv": "text/tab-separated-values"}
KINDS = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
         409: "conflict_error", 413: "invalid_request_error", 429: "rate_limit_error", 503: "unavailable_error"}


MODELS = (("demo-paraformer", [], ["transcribe"]), ("sense-voice-small", [], ["transcribe"]),
          ("whisper-base", ["en", "zh", "de", "haw", "yue"], ["transcribe", "translate"]),
          ("whisper-base.en", ["en"], ["transcribe"]))


class FakeServer(http.server.ThreadingHTTPServer):
    """`key`: what clients must send. A file called paused… stops after its first segment until `go` is set; busy… is
    refused once; broken… is refused always; cut… ends in the middle of the answer."""
    daemon_threads = True

    def __init__(self, port=0, key=""):
        super().__init__(("127.0.0.1", port), Handler)
        self.key = key
        self.go = threading.Event()
        self.refused = set()
        self.jobs = {}
        self.fields = {}  # of the last upload of each name
        self.active = 0
        self.most_active = 0
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def start(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self


class Refusal(Exception):
    def __init__(self, status, message, code=None, param=None, **headers):
        self.status, self.headers = status, headers
        self.body = {"error": {"message": message, "type": KINDS[status], "param": param, "code": code}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer()

    do_POST = do_DELETE = do_GET

    def answer(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self.body = self.read_body()
        try:
            if self.command == "GET" and self.headers.get("Upgrade", "").lower() == "websocket":
                return self.websocket()
            if self.command == "GET" and (url.path == "/" or url.path.startswith("/assets/")):
                return self.page(url.path)
            if url.path in ("/health", "/healthz", "/readyz", "/openapi.json"):
                return self.open_answer(url.path)
            if self.server.key and self.headers.get("Authorization") != f"Bearer {self.server.key}":
                raise Refusal(401, "no valid API key: send it as 'Authorization: Bearer KEY'", "invalid_api_key")
            self.service(url.path)
        except Refusal as refusal:
            self.json(refusal.body, refusal.status, **refusal.headers)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def send(self, content, kind, status=200, **headers):
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": len(content), "Content-Security-Policy": POLICY,
                            "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(content)

    def json(self, value, status=200, **headers):
        self.send(json.dumps(value, ensure_ascii=False).encode(), "application/json", status, **headers)

    def page(self, path):
        name = "index.html" if path == "/" else path.removeprefix("/assets/")
        file = WEB / name
        if "/" in name or not file.is_file():
            raise Refusal(404, f"{path} does not exist", "not_found")
        self.send(file.read_bytes(), TYPES[file.suffix])

    def open_answer(self, path):
        if path == "/openapi.json":
            return self.send((ROOT / "docs/openapi.json").read_bytes(), "application/json")
        self.json({"status": "ok", "device": "cpu", "models_loaded": ["demo-paraformer"]} if path == "/health"
                  else {"status": "ok"})

    def service(self, path):
        method = self.command
        if (method, path) == ("GET", "/v1/status"):
            return self.json(self.status())
        models = {f"/v1/models/{name}": {"id": name, "object": "model", "created": 1764000000, "owned_by": "tutti",
                                         "languages": languages, "tasks": tasks}
                  for name, languages, tasks in MODELS}
        if (method, path) == ("GET", "/v1/models"):
            return self.json({"object": "list", "data": list(models.values())})
        if method == "GET" and path in models:
            return self.json(models[path])
        if (method, path) == ("GET", "/metrics"):
            return self.send(b"# TYPE tutti_up gauge\ntutti_up 1\n", "text/plain; version=0.0.4")
        if path == "/v1/jobs" or path.startswith("/v1/jobs/"):
            return self.job(path)
        if method == "POST" and path in ("/v1/transcribe", "/v1/audio/transcriptions", "/v1/audio/translations",
                                         "/recognition", "/asr"):
            return self.transcribe(path, *self.upload("audio" if path == "/recognition" else "file"))
        raise Refusal(404, f"{path} does not exist", "not_found")

    def status(self):
        moment = time.time() % 60
        return {"queue": {"waiting": 2, "running": 3, "waiting_seconds": 412.0, "running_seconds": 480.0,
                          "limit_seconds": 3600.0}, "audio_seconds_total": 51234.5,
                "x_real_time": 212.4 + 20 * (moment % 7) - 9 * (moment % 5), "uptime_s": 93600.0, "draining": False,
                "models": [{"id": name, "compute_type": "int8"} for name, *_ in MODELS]}

    def upload(self, field):
        """The recording's name and the fields."""
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("application/json"):
            raise Refusal(403, "url: this server fetches from no host ([security] allow_url)", "permission_denied", "url")
        if not kind.startswith("multipart/form-data"):
            return self.query.get("name", "audio"), self.query
        form = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + self.body,
                                        policy=email.policy.HTTP)
        fields, name, content = {}, None, b""
        for part in form.iter_parts():
            if part.get_param("name", header="content-disposition") == field:
                name, content = part.get_filename() or "audio", part.get_payload(decode=True)
            else:
                key = part.get_param("name", header="content-disposition")
                fields[key] = part.get_payload(decode=True).decode()
        if name is None:
            raise Refusal(400, f"multipart field '{field}' is missing", "missing_field", field)
        if not content or "broken" in name:
            raise Refusal(400, f"{name}: no audio stream", "audio_undecodable", field)
        if "busy" in name and name not in self.server.refused:
            self.server.refused.add(name)
            raise Refusal(429, "3600 s of audio are waiting, no more are taken", "queue_full", Retry_After=1)
        return name, fields

    def transcribe(self, path, name, fields):
        with self.server.lock:
            self.server.active += 1
            self.server.most_active = max(self.server.most_active, self.server.active)
        try:
            result = canned.transcript(name, fields.get("channels", "mix"), fields.get("model") or "demo-paraformer")
            if result["model"] == "whisper-base":
                result.update(language=fields.get("language", "de"), language_probability=0.9)
                if path == "/v1/transcribe" and fields.get("format") not in ("srt", "vtt"):
                    for token in (token for segment in result["segments"] for token in segment["tokens"]):
                        token.update(start_ms=None, end_ms=None)
            self.server.fields[name] = fields
            streaming = fields.get("stream") == "true"
            if path == "/recognition":
                return self.json({"text": result["text"], "code": 0, "sentences": [
                    {"text": s["text"], "start": s["start_ms"], "end": s["end_ms"]} for s in result["segments"]]})
            if path == "/asr":
                return self.json({"text": result["text"], "segments": [], "duration": result["duration_ms"] / 1000,
                                  "processing_time": 0.14, "rtf": 0.01})
            if path.startswith("/v1/audio/"):
                return self.openai_events(result) if streaming else self.openai(result, fields)
            if streaming:
                return self.events(name, result)
            form = fields.get("format", "json")
            if form == "json":
                return self.json(result)
            self.send(canned.render(result, form).encode(), SPEECH_TYPES[form] + "; charset=utf-8")
        finally:
            with self.server.lock:
                self.server.active -= 1

    def openai(self, result, fields):
        form = fields.get("response_format", "json")
        if form in ("text", "srt", "vtt"):
            form = "txt" if form == "text" else form
            return self.send(canned.render(result, form).encode(), SPEECH_TYPES[form] + "; charset=utf-8")
        if form == "json":
            return self.json({"text": result["text"]})
        self.json({"task": "transcribe", "language": "", "duration": result["duration_ms"] / 1000, "text": result["text"],
                   "segments": [{"id": i, "start": s["start_ms"] / 1000, "end": s["end_ms"] / 1000, "text": s["text"]}
                                for i, s in enumerate(result["segments"])]})

    def open_events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.close_connection = True

    def event(self, data, name=None):
        head = f"event: {name}\n" if name else ""
        self.wfile.write(f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode())
        self.wfile.flush()

    def events(self, name, result):
        self.open_events()
        count = len(result["segments"])
        for i, segment in enumerate(result["segments"]):
            if "paused" in name and i == 1:
                self.server.go.wait(60)
            self.event({"audio_ms_decoded": result["duration_ms"], "segments_found": count, "segments_done": i}, "progress")
            self.event(segment, "segment")
            if "cut" in name:
                return
        self.event(result, "done")

    def openai_events(self, result):
        self.open_events()
        for i, segment in enumerate(result["segments"]):
            self.event({"type": "transcript.text.delta", "delta": (" " if i else "") + segment["text"]})
        self.event({"type": "transcript.text.done", "text": result["text"]})

    def job(self, path):
        jobs = self.server.jobs
        if path == "/v1/jobs" and self.command == "POST":
            name, _ = self.upload("file")
            now = int(time.time() * 1000)
            job = {"id": uuid.uuid4().hex, "state": "queued", "progress": 0, "file": name, "attempts": 0,
                   "created_ms": now, "started_ms": None, "finished_ms": None, "result": None, "error": None}
            jobs[job["id"]] = job
            return self.json(job, 202, Location=f"/v1/jobs/{job['id']}")
        if path == "/v1/jobs":
            wanted = self.query.get("state")
            found = [{k: v for k, v in job.items() if k != "result"} for job in reversed(jobs.values())
                     if wanted in (None, job["state"])]
            return self.json({"jobs": found[:int(self.query.get("limit", 100))], "next_before": None})
        job = jobs.get(path.removeprefix("/v1/jobs/"))
        if not job:
            raise Refusal(404, "no such job", "job_not_found", "id")
        if self.command == "DELETE":
            if job["state"] in ("done", "cancelled"):
                raise Refusal(409, f"job {job['id']} is {job['state']} and cannot be cancelled", "job_ended", "id")
            job.update(state="cancelled", finished_ms=int(time.time() * 1000))
        elif job["state"] == "queued":
            answer = dict(job)
            job.update(state="done", progress=1, attempts=1, started_ms=job["created_ms"], result=canned.transcript(job["file"]),
                       finished_ms=int(time.time() * 1000))
            return self.json(answer)
        self.json(job)

    def websocket(self):
        """FunASR's offline protocol."""
        accept = hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept.digest()).decode())
        if "binary" in self.headers.get("Sec-WebSocket-Protocol", ""):
            self.send_header("Sec-WebSocket-Protocol", "binary")
        self.end_headers()
        self.close_connection = True
        name = "wav-default-id"
        while True:
            head = self.rfile.read(2)
            if len(head) < 2:
                return
            if head[0] & 15 == 8:
                return self.wfile.write(b"\x88\x00")
            size = head[1] & 127
            if size > 125:
                size = int.from_bytes(self.rfile.read(2 if size == 126 else 8), "big")
            mask = self.rfile.read(4)
            if head[0] & 15 != 1:
                self.rfile.read(size)
                continue
            data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.rfile.read(size)))
            message = json.loads(data)
            name = message.get("wav_name", name)
            if message.get("is_speaking") is False:
                text = canned.transcript(name)["text"]
                reply = json.dumps({"mode": "offline", "wav_name": name, "text": text, "is_final": False,
                                    "timestamp": "[]", "stamp_sents": []}, ensure_ascii=False).encode()
                size = bytes([len(reply)]) if len(reply) < 126 else b"\x7e" + struct.pack(">H", len(reply))
                self.wfile.write(b"\x81" + size + reply)


if __name__ == "__main__":
    server = FakeServer(int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
    print(server.url, flush=True)
    server.serve_forever()
