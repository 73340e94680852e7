"""What a client sends and what it gets, without a library between."""
import contextlib
import http.client
import json
import uuid

SECONDS = 300  # a machine may be busy; nothing here measures


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def events(self):
        """(event or "", data) of server-sent events."""
        for block in self.text.split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            yield fields.get("event", ""), fields["data"]


def form(fields, part, name, content):
    """A multipart body and its Content-Type."""
    boundary = uuid.uuid4().hex
    lines = [f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
             for field, value in fields.items()]
    lines.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n'
                 "Content-Type: application/octet-stream\r\n\r\n")
    body = "".join(lines).encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def call(port, method, path, body=None, headers=None, on_connect=lambda: None):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)) as connection:
        connection.connect()
        on_connect()
        connection.request(method, path, body, headers or {})
        return Answer(connection.getresponse())


def in_pieces(content, size):
    for at in range(0, len(content), size):
        yield content[at:at + size]


def post_file(port, path, file, fields=None, part="file", headers=None, **options):
    body, content_type = form(fields or {}, part, file.name, file.read_bytes())
    return call(port, "POST", path, body, {"Content-Type": content_type, **(headers or {})}, **options)
