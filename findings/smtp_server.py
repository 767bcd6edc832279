"""A small SMTP server on loopback that says what it is told and prints what it hears.

    smtp_server.py [KEY=REPLY]…

KEY is a verb in capitals, RESPONSE (a line in answer to 334) or BODY (the final dot). Each KEY may come several times: the
replies are used in turn, the last one for ever. `\n` in REPLY starts a new line of a reply. A reply that starts with `!` is
followed by closing the connection. TLS=FILE, a certificate and its key, makes it speak TLS from the first octet. The port
goes to file descriptor 3."""

import os
import re
import socketserver
import ssl
import sys

DEFAULTS = {
    "GREETING": ["220 server.example ESMTP"],
    "EHLO": ["250-server.example\n250 8BITMIME"],
    "HELO": ["250 server.example"],
    "DATA": ["354 go ahead"],
    "QUIT": ["!221 2.0.0 bye"],
    "BODY": ["250 2.0.0 stored"],
}
REPLIES = {}
TLS = None
for argument in sys.argv[1:]:
    key, reply = argument.split("=", 1)
    if key == "TLS":
        TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        TLS.load_cert_chain(reply)
        continue
    REPLIES.setdefault(key, []).append(reply.replace("\\n", "\n"))


class Session(socketserver.StreamRequestHandler):
    def answer(self, key):
        replies = REPLIES.get(key) or DEFAULTS.get(key) or ["250 2.0.0 ok"]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        closing = reply.startswith("!")
        reply = reply.lstrip("!")
        for line in reply.split("\n"):
            print("S:", line, flush=True)
            self.wfile.write(line.encode() + b"\r\n")
        return "" if closing else reply

    def line(self):
        line = self.rfile.readline()
        if not line:
            return None
        text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
        print("C:", text, flush=True)
        return text

    def handle(self):
        print("-- connected", flush=True)
        said = self.answer("GREETING")
        while said and (line := self.line()) is not None:
            verb = re.match(r"[A-Za-z]*", line)[0].upper()
            said = self.answer("RESPONSE" if said.startswith("334") else verb)
            if said.startswith("354"):
                while (line := self.line()) not in (None, "."):
                    pass
                if line is None:
                    break
                said = self.answer("BODY")
        print("-- closed", flush=True)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def get_request(self):
        connection, address = super().get_request()
        return (TLS.wrap_socket(connection, server_side=True) if TLS else connection), address

    def handle_error(self, request, client_address):
        print("-- broken off", flush=True)


with Server(("127.0.0.1", 0), Session) as server:
    with os.fdopen(3, "w") as told:
        print(server.server_address[1], file=told)
    server.serve_forever()
