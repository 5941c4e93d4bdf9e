"""A small company's API and the people and services that call it: the background of the corpora.

Nothing here is shared with the `simulate` crate: it is a second, independent generator. Calls come in
sittings (a few minutes of activity), sizes are log-normal, and everybody errs now and then.
"""

import gzip
import json
import random
from datetime import datetime, timedelta, timezone

START = datetime(2026, 4, 14, 7, tzinfo=timezone.utc)  # a Tuesday
DAY_HOURS = 11

# method, path template ({n} is an object), weight, middle bytes out
SALES = [("GET", "/orders", 3, 12_000), ("GET", "/orders/{n}", 6, 1_500), ("POST", "/orders", 1, 400),
         ("GET", "/customers/{n}", 3, 900), ("GET", "/prices", 2, 6_000)]
SUPPORT = [("GET", "/tickets", 4, 9_000), ("GET", "/tickets/{n}", 6, 2_500),
           ("POST", "/tickets/{n}/replies", 2, 300), ("GET", "/customers/{n}", 2, 900)]
WAREHOUSE = [("GET", "/stock/{n}", 7, 500), ("PUT", "/stock/{n}", 2, 200),
             ("GET", "/shipments", 3, 8_000), ("POST", "/shipments", 1, 300)]
FINANCE = [("GET", "/invoices", 3, 11_000), ("GET", "/invoices/{n}", 5, 2_000),
           ("GET", "/reports/monthly", 1, 30_000), ("POST", "/payments", 1, 250)]

ROLES = {"sales": SALES, "support": SUPPORT, "stock": WAREHOUSE, "fin": FINANCE}
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64) Firefox/137.0", "Mozilla/5.0 (Macintosh) Safari/605.1.15",
          "okhttp/4.12.0", "python-requests/2.32.3"]


class Caller:
    """Somebody with a role, an address and a rhythm."""

    def __init__(self, world, name, role, rate):
        self.world, self.name, self.role, self.rate = world, name, role, rate
        index = len(world.callers)
        self.ip = f"10.{20 + index // 8}.{index % 8 + 1}.{50 + index}"
        self.ua = AGENTS[index % len(AGENTS)]
        self.mine = [world.rng.randrange(1_000, 9_000) for _ in range(12)]


class World:
    """Calls of everybody, in time order once written; attack calls are marked for the index only."""

    def __init__(self, seed, days=3, per_role=8, rate=6.0):
        self.rng = random.Random(seed)
        self.days, self.calls, self.callers = days, [], []
        for role, endpoints in ROLES.items():
            for index in range(per_role):
                self.callers.append(Caller(self, f"{role}-{index + 1:02}", endpoints,
                                           rate * self.rng.uniform(0.6, 1.8)))

    def caller(self, name):
        return next(it for it in self.callers if it.name == name)

    def add(self, name, endpoints, rate):
        caller = Caller(self, name, endpoints, rate)
        self.callers.append(caller)
        return caller

    def hours(self):
        for day in range(self.days):
            for hour in range(DAY_HOURS):
                yield START + timedelta(days=day, hours=hour)

    def at(self, day, hour, minute=0, second=0.0):
        """A time on a day (from 0) of the log."""
        return START + timedelta(days=day, hours=hour - START.hour, minutes=minute, seconds=second)

    def background(self, skip=lambda caller, hour: False, share=0.5):
        for hour in self.hours():
            for caller in self.callers:
                if self.rng.random() < share and not skip(caller, hour):
                    self.sitting(caller, hour)
        return self

    def sitting(self, caller, hour, factor=1.0, **more):
        """An hour's work of one caller."""
        count = max(1, round(self.rng.gauss(caller.rate, caller.rate ** 0.5) * factor))
        at = hour + timedelta(seconds=round(self.rng.uniform(0, 1_500)), milliseconds=100 * (len(caller.name) % 7))
        for _ in range(count):
            at += timedelta(seconds=round(min(240.0, self.rng.expovariate(1 / 35) + 1)))
            if at >= hour + timedelta(hours=1):
                break
            self.call(caller, at, *self.pick(caller), **more)

    def pick(self, caller, endpoints=None):
        endpoints = endpoints or caller.role
        method, path, _, size = self.rng.choices(endpoints, [it[2] for it in endpoints])[0]
        number = self.rng.choice(caller.mine) if self.rng.random() < 0.9 else self.rng.randrange(9_999)
        return method, path.replace("{n}", str(number)), size

    def call(self, caller, at, method, path, size, status=None, **more):
        """One call; `more` overrides what a log line would say."""
        rng = self.rng
        if status is None:
            status = rng.choices([200, 304, 404, 500], [960, 20, 14, 6])[0] if method == "GET" else 200
        scale = rng.lognormvariate(0, 0.35)
        size = float(f"{size * scale:.2g}") if status < 300 else 120
        call = {"at": at, "who": caller.name, "ip": caller.ip, "ua": caller.ua, "method": method,
                "path": path, "status": status, "out": round(size),
                "in": 0 if method == "GET" else rng.randrange(200, 900),
                "ms": round(rng.lognormvariate(1, 0.5)) * 10 + 5, "attack": False}
        call.update(more)
        self.calls.append(call)

    def attack(self, caller, at, method, path, size, status=200, **more):
        self.call(caller, at, method, path, size, status, attack=True, **more)


def iso(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def canonical(call):
    line = {"time": iso(call["at"]), "principal_id": call["who"], "client_address": call["ip"],
            "http_request_method": call["method"], "url_path": call["path"],
            "http_response_status_code": call["status"], "http_response_body_size": call["out"],
            "http_request_body_size": call["in"], "duration_ns": call["ms"] * 1_000_000,
            "user_agent_original": call["ua"]}
    return json.dumps({key: value for key, value in line.items() if value is not None},
                      separators=(",", ":"))


def kong(call):
    line = {"started_at": round(call["at"].timestamp() * 1000), "client_ip": call["ip"],
            "latencies": {"request": call["ms"], "proxy": max(call["ms"] - 2, 1), "kong": 2},
            "request": {"method": call["method"], "uri": call["path"], "size": 300 + call["in"],
                        "headers": {"host": "api.example.com", "user-agent": call["ua"]}},
            "response": {"status": call["status"], "size": call["out"]}}
    if call["who"]:
        line["consumer"] = {"id": call["who"], "username": call["who"]}
    return json.dumps(line, separators=(",", ":"))


def nginx(call):
    at = call["at"].strftime("%d/%b/%Y:%H:%M:%S +0000")
    return (f'{call["ip"]} - {call["who"] or "-"} [{at}] "{call["method"]} {call["path"]} HTTP/1.1" '
            f'{call["status"]} {call["out"]} "-" "{call["ua"]}"')


def generic(call):
    line = {"ts": iso(call["at"]), "ip": call["ip"], "consumer": call["who"], "method": call["method"],
            "path": call["path"], "status": call["status"], "bytes_in": call["in"],
            "bytes_out": call["out"], "latency_ms": call["ms"], "ua": call["ua"]}
    return json.dumps({key: value for key, value in line.items() if value is not None},
                      separators=(",", ":"))


FORMATS = {"canonical": (canonical, "ndjson"), "kong": (kong, "ndjson"),
           "nginx": (nginx, "log"), "generic": (generic, "ndjson")}


def write_gz(path, lines):
    """The same bytes every time: no name and no time in the header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as out:
        out.write(("\n".join(lines) + "\n").encode())
