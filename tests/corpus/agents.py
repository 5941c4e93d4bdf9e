"""Cases about AI agents: sessions of tool calls beside the company's people (world.py), in three formats."""

import json
from datetime import timedelta

from world import World, iso

TOOLS = {
    "desk": ["search_docs", "get_ticket", "get_customer", "add_reply", "close_ticket"],
    "ops": ["list_jobs", "get_job", "read_log", "restart_job"],
    "buyer": ["search_products", "get_price", "get_stock", "create_quote"],
}
PER_KIND = 5


class Agents:
    """A world with agents in it: each has sessions of a few tool calls, every hour."""

    def __init__(self, seed, skip=lambda name, hour: False):
        self.world = World(seed).background()
        self.rng = self.world.rng
        self.names = [f"{kind}-agent-{index + 1}" for kind in TOOLS for index in range(PER_KIND)]
        self.sessions = 0
        for hour in self.world.hours():
            for name in self.names:
                if not skip(name, hour):
                    for _ in range(self.rng.randrange(1, 4)):
                        self.session(name, hour + timedelta(seconds=self.rng.randrange(2_400)))

    def new_session(self):
        self.sessions += 1
        return f"{self.rng.getrandbits(64):016x}"

    def session(self, name, at):
        """A session as most are: a few calls, now and then one again because nothing came of it."""
        session, last = self.new_session(), None
        self.protocol(name, session, at, "initialize")
        self.protocol(name, session, at + timedelta(seconds=0.4), "tools/list")
        for _ in range(self.rng.randrange(4, 15)):
            at += timedelta(milliseconds=self.rng.randrange(1_500, 60_000))
            if last is None or self.rng.random() > 0.12:
                last = (self.rng.choice(TOOLS[name.split("-")[0]]), self.rng.randrange(140, 900),
                        round(self.rng.lognormvariate(7.5, 0.8)))
            self.tool(name, session, at, *last)

    def tool(self, name, session, at, tool, size_in, size_out, status=200, **more):
        self.call(name, session, at, "tools/call", tool, size_in, size_out, status, **more)

    def protocol(self, name, session, at, method):
        self.call(name, session, at, method, None, 96, {"initialize": 780, "tools/list": 5_210}.get(method, 41), 200)

    def call(self, name, session, at, rpc, tool, size_in, size_out, status, **more):
        index = self.names.index(name)
        self.world.calls.append({
            "at": at, "who": name, "ip": f"10.40.1.{20 + index}", "ua": "agent-sdk/2.4", "method": "POST",
            "path": "/mcp", "status": status, "out": size_out, "in": size_in,
            "ms": round(self.rng.lognormvariate(5, 0.4)), "attack": False, "rpc": rpc, "tool": tool,
            "session": session, **more})

    def loop(self, name, session, at, cycle, count, step):
        """The attack: the same few calls with the same answers, again and again."""
        for number in range(count):
            tool, size_in, size_out, status = cycle[number % len(cycle)]
            self.tool(name, session, at + timedelta(seconds=step * number), tool, size_in, size_out, status,
                      attack=True)


def canonical(call):
    line = {"time": iso(call["at"]), "principal_id": call["who"], "client_address": call["ip"],
            "http_request_method": call["method"], "url_path": call["path"],
            "http_response_status_code": call["status"], "http_response_body_size": call["out"],
            "http_request_body_size": call["in"], "duration_ns": call["ms"] * 1_000_000,
            "user_agent_original": call["ua"], "mcp_method_name": call.get("rpc"), "tool_name": call.get("tool"),
            "session_id": call.get("session")}
    return json.dumps({key: value for key, value in line.items() if value is not None},
                      separators=(",", ":"))


def kong(call):
    line = {"started_at": round(call["at"].timestamp() * 1000), "client_ip": call["ip"],
            "latencies": {"request": call["ms"], "proxy": max(call["ms"] - 2, 1), "kong": 2},
            "request": {"method": call["method"], "uri": call["path"], "size": 300 + call["in"],
                        "headers": {"host": "api.example.com", "user-agent": call["ua"]}},
            "response": {"status": call["status"], "size": call["out"]},
            "consumer": {"id": call["who"], "username": call["who"]}}
    if call.get("rpc"):
        rpc = {"method": call["rpc"], "tool_name": call["tool"]}
        line["ai"] = {"mcp": {"mcp_session_id": call["session"], "rpc": [rpc]}}
    return json.dumps(line, separators=(",", ":"))


def generic(call):
    """An agent that calls the company's endpoints itself: named, without sessions or tools."""
    line = {"ts": iso(call["at"]), "ip": call["ip"], "consumer": call["who"], "method": call["method"],
            "path": call["path"], "status": call["status"], "bytes_in": call["in"],
            "bytes_out": call["out"], "latency_ms": call["ms"], "ua": call["ua"]}
    if call.get("tool"):
        line |= {"path": "/" + call["tool"].replace("_", "/"), "agent_id": call["who"]}
    elif call.get("rpc"):
        line |= {"method": "GET", "path": "/me", "agent_id": call["who"]}
    return json.dumps({key: value for key, value in line.items() if value is not None},
                      separators=(",", ":"))


FORMATS = {"canonical": canonical, "kong": kong, "generic": generic}


def save(keep, kind, name, world, form, who=None, marker=None):
    calls = sorted(world.calls, key=lambda call: call["at"])
    lines = [(FORMATS[form](call), call["attack"]) for call in calls]
    if kind == "benign":
        return keep("runaway_loop", kind, name, lines)
    at = [call["at"] for call in calls if call["attack"]]
    keep("runaway_loop", kind, name, lines, principal=who, marker=marker or who,
         earliest=iso(at[0] - timedelta(seconds=1)), latest=iso(at[-1] + timedelta(minutes=5)))


def runaway_loop(keep):
    agents = Agents(1901)
    session = agents.new_session()
    docs = [("search_docs", 212, 1_804, 200), ("search_docs", 231, 977, 200)]
    agents.loop("desk-agent-2", session, agents.world.at(2, 10, 12), docs, 71, 3.1)
    save(keep, "attack", "one_search_seventy_times", agents.world, "canonical", "desk-agent-2", session)

    agents = Agents(1902)
    session = agents.new_session()
    cycle = [("get_job", 160, 420, 200), ("read_log", 188, 15_310, 200), ("restart_job", 171, 65, 200)]
    agents.loop("ops-agent-4", session, agents.world.at(2, 14, 3), cycle, 150, 11)
    save(keep, "attack", "restarts_a_job_for_half_an_hour", agents.world, "kong", "ops-agent-4", session)

    agents = Agents(1903)
    agents.loop("buyer-agent-1", None, agents.world.at(1, 13, 20), [("create_quote", 655, 94, 400)], 60, 2)
    save(keep, "attack", "a_quote_that_is_refused_each_time", agents.world, "generic", "buyer-agent-1",
         '"path":"/create/quote","status":400')

    agents = Agents(1911, lambda name, hour: name == "ops-agent-4")
    for hour in agents.world.hours():  # as many repeats as an attack, in every hour since ever
        session = agents.new_session()
        for number in range(round(agents.rng.gauss(170, 9))):
            agents.tool("ops-agent-4", session, hour + timedelta(seconds=5 + 20 * number), "get_job", 160, 420)
    save(keep, "benign", "watches_a_job_every_twenty_seconds", agents.world, "kong")

    agents = Agents(1912)
    session, at = agents.new_session(), agents.world.at(2, 10, 12)
    for page in range(150):  # one tool and one size of request, and something new in every answer
        agents.tool("desk-agent-2", session, at + timedelta(seconds=3.1 * page), "search_docs", 212,
                    40_000 + agents.rng.randrange(9_000) * 2 + page % 2)
    save(keep, "benign", "reads_page_after_page", agents.world, "canonical")

    agents = Agents(1913)
    session, at = agents.new_session(), agents.world.at(2, 9, 1)
    for number in range(340):  # it idles, and the protocol keeps the session open
        agents.protocol("buyer-agent-3", session, at + timedelta(seconds=10 * number), "ping")
    save(keep, "benign", "an_idle_session_is_kept_open", agents.world, "canonical")

    agents = Agents(1914)
    world, at = agents.world, agents.world.at(2, 11, 5)
    person = world.caller("support-03")
    for number in range(300):  # somebody waits for a ticket and presses reload; no agent, no tool
        world.call(person, at + timedelta(seconds=4 * number), "GET", f"/tickets/{person.mine[0]}", 2_500, 200)
        world.calls[-1] |= {"out": 2_480, "session": "f00dfeed00000001"}
    save(keep, "benign", "a_person_presses_reload", world, "canonical")

    agents = Agents(1915)
    at = agents.world.at(2, 15, 10)
    for name in agents.names:  # the gateway has no upstream for a quarter of an hour, and all try again
        session, tool = agents.new_session(), agents.rng.choice(TOOLS[name.split("-")[0]])
        for number in range(90):
            agents.tool(name, session, at + timedelta(seconds=10 * number + agents.rng.random()), tool, 300, 170, 503)
    save(keep, "benign", "everybody_tries_again_in_an_outage", agents.world, "kong")
