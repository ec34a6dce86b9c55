"""An OpenAI-compatible chat endpoint on loopback, which answers what a test has written down."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ray_jobs.contract import WriterEndpoint


class Chat(BaseHTTPRequestHandler):
    """`answers` are taken one by one, or made of what was asked by a function."""

    answers: list = []
    seen: list = []

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append((self.path, self.headers.get("authorization"), asked))
        answers = type(self).answers
        status, content = answers(asked) if callable(answers) else answers.pop(0)
        body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def chatting() -> Iterator[WriterEndpoint]:
    Chat.answers, Chat.seen = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield WriterEndpoint(url=f"http://127.0.0.1:{server.server_port}/v1", model="tiny")
    server.shutdown()
    server.server_close()
