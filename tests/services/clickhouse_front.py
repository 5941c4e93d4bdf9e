"""A small HTTP front over the ClickHouse engine of PyPI's chdb, for the tests.

It speaks as much of ClickHouse's HTTP interface as clients of this repository use, one engine
session for each request as the server has, and does wrong on demand: `POST /fault`.
What it does not know, it refuses with code 48; it never ignores it.
"""

import argparse
import json
import os
import re
import select
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chdb.session import Session

# Bytes of a request's body, as it is sent and unpacked.
BODY_BYTES_MAX = 256 << 20
# How long a request hangs before its connection is closed, where nobody ends it earlier.
HANG_S_MAX = 60.0

# A compressed frame: a checksum, then a head (method, bytes of head and data, bytes unpacked).
FRAME_CHECKSUM_BYTES = 16
FRAME_HEAD_BYTES = 9
FRAME_LZ4 = 0x82
FRAME_PLAIN = 0x02

# Parameters of the HTTP interface that are no settings; their effect is here or none is needed.
NO_SETTINGS = frozenset({
    "query", "database", "default_format", "query_id", "decompress", "user", "password",
    "wait_end_of_query", "buffer_size", "send_progress_in_http_headers",
    "enable_http_compression", "http_zlib_compression_level",
})
# Parameters whose absence would change what a client gets.
UNSUPPORTED = frozenset({"compress", "session_id", "role", "quota_key", "client_protocol_version"})

NOT_IMPLEMENTED = 48
SYNTAX_ERROR = 62
UNKNOWN_SETTING = 115
CANNOT_DECOMPRESS = 271
STD_EXCEPTION = 1001

# The HTTP status that belongs to an exception; 500 where it is not here.
STATUSES = {
    **dict.fromkeys((6, 26, 27, 38, 41, 43, 53, 62, 69, 70, 72, 457), 400),
    **dict.fromkeys((192, 193, 194, 497, 516), 403),
    **dict.fromkeys((16, 46, 47, 50, 56, 60, 81, 115), 404),
    159: 408,
    NOT_IMPLEMENTED: 501,
}

# What a scan for `;` must not look into: strings, quoted names, comments.
OPAQUE = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/""",
    re.DOTALL,
)
# An insert whose rows follow its text, in a format.
INSERT_FORMAT = re.compile(
    rb"\s*(INSERT\s+INTO\b(?:(?!\bSELECT\b).)*?)\bFORMAT\s+(\w+)[ \t]*(?:;?[ \t]*\r?\n|\Z)",
    re.IGNORECASE | re.DOTALL,
)


class Refusal(Exception):
    """An exception of the server: its code and text."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code
        self.text = text

    @classmethod
    def named(cls, code, name, text):
        """An exception of this front's own."""
        return cls(code, f"Code: {code}. DB::Exception: {text}. ({name})")

    @classmethod
    def of(cls, error):
        """What the engine raised."""
        text = str(error)
        start = text.find("Code: ")
        found = re.match(r"Code: (\d+)\. ", text[start:]) if start >= 0 else None
        if not found:
            return cls.named(STD_EXCEPTION, "STD_EXCEPTION", text)
        return cls(int(found[1]), text[start:])

    @classmethod
    def unsupported(cls, what):
        return cls.named(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", f"the test front has no {what}")


class Faults:
    """What to do wrong to the next requests, and how often it was done."""

    KINDS = ("delay", "500", "says", "commit_then_close", "hang", "refuse")

    def __init__(self):
        self._changed = threading.Condition()
        self._order = {"next": 0}
        self._made = 0
        self._generation = 0

    def order(self, order):
        """Replaces the order; whoever hangs is let go."""
        known = {"next", "kind", "matching", "ms", "code", "text"}
        if not set(order) <= known or order.get("kind") not in self.KINDS:
            raise ValueError(f"a fault has {sorted(known)}; kind is one of {self.KINDS}")
        with self._changed:
            self._order = order
            self._made = 0
            self._generation += 1
            self._changed.notify_all()

    def state(self):
        with self._changed:
            return {"left": self._order["next"], "made": self._made}

    def take(self, sql):
        """The order, if this request is one of those meant."""
        with self._changed:
            meant = self._order.get("matching", "").lower() in sql.lower()
            if self._order["next"] <= 0 or not meant:
                return None
            self._order["next"] -= 1
            self._made += 1
            return dict(self._order)

    def hang(self, connection):
        """Returns once the client has gone, an order comes, or it was long enough."""
        ends = time.monotonic() + HANG_S_MAX
        with self._changed:
            generation = self._generation
        while time.monotonic() < ends:
            with self._changed:
                if self._changed.wait_for(lambda: self._generation != generation, timeout=0.05):
                    return
            if select.select([connection], [], [], 0)[0]:
                return


class Engine:
    """The engine and its data directory."""

    def __init__(self, path):
        self._path = path
        # The engine lives as long as a session is open.
        self._keeper = Session(path)
        version = self._keeper.query("SELECT version()", "TabSeparatedRaw")
        self.version = version.bytes().decode().strip()

    def run(self, request):
        """Answers one request: bytes of the result, and the summary."""
        session = Session(self._path)
        try:
            for statement in request.preamble():
                session.query(statement)
            if request.insert:
                statement, rows_format = request.insert
                inserter = session.send_insert(statement, rows_format)
                try:
                    inserter.append(request.rows)
                    done = inserter.finish()
                finally:
                    inserter.close()
                written = {"written_rows": done.rows_written, "written_bytes": done.bytes_written}
                return b"", written
            result = session.query(request.sql, request.format, params=request.parameters or None)
            read = {"read_rows": result.rows_read(), "read_bytes": result.bytes_read()}
            return result.bytes(), read
        except RuntimeError as error:
            raise Refusal.of(error) from None
        finally:
            session.close()


class Request:
    """What a client asks: a statement, its parameters and settings, and rows to insert."""

    def __init__(self, url, body, boundary, is_get):
        fields = dict(urllib.parse.parse_qsl(url, keep_blank_values=True))
        if boundary:
            fields.update(parts(body, boundary))
            body = b""
        for name in UNSUPPORTED & fields.keys():
            if fields[name] not in ("", "0"):
                raise Refusal.unsupported(name)
        if fields.get("decompress") == "1":
            body = unpacked(body)
        self.parameters = {
            name.removeprefix("param_"): value
            for name, value in fields.items() if name.startswith("param_")
        }
        self.format = fields.get("default_format") or "TabSeparated"
        self.database = fields.get("database")
        self.settings = {
            name: value for name, value in fields.items()
            if name not in NO_SETTINGS | UNSUPPORTED and not name.startswith("param_")
        }
        if is_get:
            self.settings["readonly"] = "2"
        self.insert = None
        self.rows = b""
        self._split(fields.get("query", ""), body)

    def _split(self, query, body):
        """Tells the statement from the rows that it inserts."""
        # The server reads the parameter, a line's end, and the body as one text.
        text = query.encode() + b"\n" + body if query else body
        found = INSERT_FORMAT.match(text)
        if found and found[2].upper() != b"VALUES":
            statement = found[1].decode()
            self.sql = statement
            self.insert = (statement, found[2].decode())
            self.rows = text[found.end():]
            return
        try:
            self.sql = text.decode()
        except UnicodeDecodeError as error:
            raise Refusal.named(SYNTAX_ERROR, "SYNTAX_ERROR", error) from None
        is_insert = self.sql.lstrip()[:6].upper() == "INSERT"
        if not is_insert and re.search(r";\s*\S", OPAQUE.sub("", self.sql)):
            text = "Syntax error (Multi-statements are not allowed)"
            raise Refusal.named(SYNTAX_ERROR, "SYNTAX_ERROR", text)

    def preamble(self):
        """The statements that make the session what the request asks for."""
        if self.database:
            yield f"USE {quoted(self.database, '`')}"
        # `readonly` forbids to change settings, so it stands last.
        for name in sorted(self.settings, key=lambda name: name == "readonly"):
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                text = f"Unknown setting {name!r}"
                raise Refusal.named(UNKNOWN_SETTING, "UNKNOWN_SETTING", text)
            yield f"SET {name} = {quoted(self.settings[name], chr(39))}"


def quoted(text, mark):
    """A name or a string of SQL."""
    return mark + text.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark


def parts(body, boundary):
    """The fields of a multipart form."""
    fields = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'\bname="([^"]*)"', head)
        if not name or b"filename=" in head:
            raise Refusal.unsupported("external tables")
        fields[name[1].decode()] = value.removesuffix(b"\r\n").decode()
    return fields


def unpacked(body):
    """Undoes the compression of ClickHouse's own frames; their checksums are not looked at."""
    import lz4.block  # Only who compresses needs it.

    blocks, total, at = [], 0, 0
    try:
        while at < len(body):
            method, packed, size = struct.unpack_from("<BII", body, at + FRAME_CHECKSUM_BYTES)
            total += size
            if total > BODY_BYTES_MAX or packed < FRAME_HEAD_BYTES:
                raise ValueError(f"frame of {packed} and {size} bytes")
            start = at + FRAME_CHECKSUM_BYTES + FRAME_HEAD_BYTES
            at += FRAME_CHECKSUM_BYTES + packed
            if at > len(body):
                raise ValueError("the last frame is cut off")
            block = body[start:at]
            if method == FRAME_LZ4:
                block = lz4.block.decompress(block, uncompressed_size=size)
            elif method != FRAME_PLAIN:
                raise ValueError(f"unknown method {method:#x}")
            blocks.append(block)
    except (ValueError, struct.error, lz4.block.LZ4BlockError) as error:
        raise Refusal.named(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", error) from None
    return b"".join(blocks)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Head and body leave together: two small writes would wait for each other.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_):
        """The log is for what goes wrong."""

    def do_GET(self):
        path, _, url = self.path.partition("?")
        if path == "/fault":
            self.reply(200, json.dumps(self.server.faults.state()).encode())
        elif path == "/ping" or not url:
            self.reply(200, b"Ok.\n")
        else:
            self.serve(url, b"", is_get=True)

    def do_POST(self):
        body = self.body()
        if body is None:
            self.close_connection = True
            return
        path, _, url = self.path.partition("?")
        if path != "/fault":
            self.serve(url, body, is_get=False)
            return
        try:
            self.server.faults.order(json.loads(body))
            self.reply(200, b"Ok.\n")
        except ValueError as error:
            self.reply(400, f"{error}\n".encode())

    def body(self):
        """The request's body; nothing where the client broke off, so that nothing is done."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size) if size <= BODY_BYTES_MAX else b""
            return body if len(body) == size else None
        chunks, total = [], 0
        while True:
            line = self.rfile.readline(1024)
            if not line.endswith(b"\r\n"):
                return None
            size = int(line.split(b";")[0], 16)
            total += size
            chunk = self.rfile.read(size + 2) if total <= BODY_BYTES_MAX else b""
            if len(chunk) != size + 2:
                return None
            if size == 0:
                return b"".join(chunks)
            chunks.append(chunk[:-2])

    def serve(self, url, body, is_get):
        """Answers a statement, unless a fault is due."""
        kind = self.headers.get("Content-Type", "")
        form = re.match(r'multipart/form-data;\s*boundary="?([^";]+)', kind)
        try:
            if self.headers.get("Content-Encoding"):
                raise Refusal.unsupported("Content-Encoding")
            request = Request(url, body, form and form[1].encode(), is_get)
            fault = self.server.faults.take(request.sql)
            if fault and not self.go_on(fault):
                return
            result, summary = self.server.engine.run(request)
            if fault and fault["kind"] == "commit_then_close":
                self.close_connection = True
                return
            summary = json.dumps({name: str(value) for name, value in summary.items()})
            headers = {"X-ClickHouse-Summary": summary, "X-ClickHouse-Format": request.format}
            self.reply(200, result, headers)
        except Refusal as refusal:
            self.refuse(refusal)

    def go_on(self, fault):
        """Does wrong; whether the request is still to be carried out."""
        kind = fault["kind"]
        if kind == "delay":
            time.sleep(fault.get("ms", 1000) / 1000)
        elif kind == "500":
            code = fault.get("code")
            if code:
                self.refuse(Refusal.named(code, "FAULT", "asked for by the test"), 500)
            else:
                self.reply(500, b"asked for by the test\n")
        elif kind == "says":
            # The engine has no users: these are a server's own words about them.
            self.refuse(Refusal(fault["code"], fault["text"]))
        elif kind == "hang":
            self.server.faults.hang(self.connection)
            self.close_connection = True
        elif kind == "refuse":
            # Closing without lingering resets the connection.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        return kind in ("delay", "commit_then_close")

    def refuse(self, refusal, status=None):
        text = refusal.text.rstrip()
        if "(version " not in text:
            text += f" (version {self.server.engine.version})"
        headers = {"X-ClickHouse-Exception-Code": str(refusal.code)}
        self.reply(status or STATUSES.get(refusal.code, 500), f"{text}\n".encode(), headers)

    def reply(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Front(ThreadingHTTPServer):
    """The listener; a thread for each connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port, engine, faults):
        self.engine = engine
        self.faults = faults
        super().__init__(("127.0.0.1", port), Handler)

    def shutdown_request(self, request):
        """Only closes: a shutdown before it would turn a reset into an orderly end."""
        self.close_request(request)

    def handle_error(self, request, client_address):
        """A client that has gone is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class TlsFront(Front):
    """The same, encrypted; with a certificate and its key in one file."""

    def __init__(self, pem, engine, faults):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)
        super().__init__(0, engine, faults)

    def get_request(self):
        # The handshake is made by the first read, in the thread of the connection.
        connection, address = super().get_request()
        wrapped = self._context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )
        return wrapped, address

    def handle_error(self, request, client_address):
        """A client that does not believe the certificate is no error either."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="the engine's directory")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", required=True, help="written once requests are answered")
    parser.add_argument("--tls", action="append", default=[], help="one more port, with this PEM")
    arguments = parser.parse_args()
    faults = Faults()
    front = Front(arguments.port, Engine(arguments.data), faults)
    encrypted = [TlsFront(pem, front.engine, faults) for pem in arguments.tls]
    for one in encrypted:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    ports = [str(one.server_port) for one in (front, *encrypted)]
    with open(arguments.port_file + ".new", "w", encoding="ascii") as file:
        file.write(" ".join(ports))
    os.replace(arguments.port_file + ".new", arguments.port_file)
    front.serve_forever()


if __name__ == "__main__":
    main()
