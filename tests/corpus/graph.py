"""Cases of `agent_graph`: agents that call agents and servers, as they always did and not."""

import json
import re
from datetime import timedelta

import world
from world import World

SERVERS = {"desk": ["tickets-mcp", "crm-mcp", "docs-mcp"], "buyer": ["catalogue-mcp", "stock-mcp"],
           "ops": ["jobs-mcp", "logs-mcp"], "payer": ["payments-mcp"]}
PER_KIND = 6
DAYS = 11
MARK = "198.18.0.9"  # from where the attacker drives agents, or the agents that went wrong


def fields(call):
    more = {"agent_id": call.get("agent"), "actor_chain": call.get("chain"), "mcp_server": call.get("server"),
            "tool_name": call.get("tool"), "trace_id": call.get("trace"), "principal_type": call.get("kind")}
    return {key: value for key, value in more.items() if value}


def graph(call):
    return json.dumps(json.loads(world.canonical(call)) | fields(call), separators=(",", ":"))


def graph_generic(call):
    """Each agent calls under its own name; traces are all that ties their calls together."""
    return json.dumps(json.loads(world.generic(call)) | fields(call), separators=(",", ":"))


world.FORMATS |= {"graph": (graph, "ndjson"), "graph_generic": (graph_generic, "ndjson")}


class Fleet:
    """Agents of four kinds with servers of their own, and planners that have two of them work for people."""

    def __init__(self, seed, traces=True, skip=lambda name, hour: False):
        self.world = World(seed, days=DAYS, per_role=2, rate=1.0).background(share=0.2)
        self.rng, self.traces, self.count = self.world.rng, traces, 0
        self.agents = {f"{kind}-agent-{index + 1}": servers for kind, servers in SERVERS.items()
                       for index in range(1 if kind == "payer" else PER_KIND)}
        self.helpers = {f"planner-{index + 1}": [f"desk-agent-{index + 1}", f"buyer-agent-{index + 1}"]
                        for index in range(PER_KIND)}
        for hour in self.world.hours():
            for name, servers in self.agents.items():
                if self.rng.random() < 0.8 and not skip(name, hour):
                    self.work(name, hour + timedelta(seconds=self.rng.randrange(3_000)), servers)
            for name, helpers in self.helpers.items():
                if self.rng.random() < 0.8 and not skip(name, hour):
                    self.plan(name, hour + timedelta(seconds=self.rng.randrange(3_000)), helpers)

    def trace(self):
        self.count += 1
        return f"{self.count:032x}" if self.traces else None

    def work(self, name, at, servers, count=3, **more):
        """An agent calls its servers, under its own name."""
        trace = self.trace()
        for number in range(count):
            self.call(name, at + timedelta(seconds=9 * number), self.rng.choice(servers), trace=trace, **more)

    def plan(self, name, at, helpers, count=3, **more):
        """A planner has its agents call their servers, for a person."""
        trace, person = self.trace(), f"person-{name[-1]}"
        for number in range(count):
            helper = self.rng.choice(helpers)
            self.call(person, at + timedelta(seconds=9 * number), self.rng.choice(self.agents[helper]), trace=trace,
                      chain=f"{name}, {helper}", kind="user", **more)

    def call(self, who, at, server, **more):
        status = 200 if self.rng.random() > 0.01 else 500
        self.world.calls.append({"who": who, "at": at, "ip": "10.80.1.4", "ua": "agent-runtime/2.1", "method": "POST",
                                 "path": "/mcp", "status": status, "out": self.rng.randrange(400, 4_000), "in": 180,
                                 "ms": 40, "attack": False, "server": server, "tool": "run", "kind": "service"} | more)

    def attack(self, who, at, server, **more):
        self.call(who, at, server, **{"attack": True, "ip": MARK, "status": 200} | more)

    def fail(self, who, at, server, **more):
        self.call(who, at, server, **{"status": 503} | more)


def after(start, seconds):
    return start + timedelta(seconds=seconds)


def make(save):
    it = Fleet(1801)
    start, trace = it.world.at(DAYS - 1, 10, 12), it.trace()
    for number in range(8):  # a plug-in between, and it pays
        it.attack("person-2", after(start, 20 * number), "payments-mcp", kind="user", trace=trace,
                  chain="planner-2, desk-agent-2, helper-77")
    save("agent_graph", "attack", "planner_to_payments_through_three_agents", it.world, "graph", "desk-agent-2",
         marker=MARK, until=50)

    it = Fleet(1802, traces=False)
    start = it.world.at(DAYS - 1, 14, 3)
    for number in range(12):  # the desk asks the planner who asked it
        it.attack("person-4", after(start, 15 * number), "crm-mcp", kind="user",
                  chain="planner-4 > desk-agent-4 > planner-4")
    save("agent_graph", "attack", "a_desk_calls_back_its_planner", it.world, "graph", "desk-agent-4", marker=MARK,
         until=50)

    it = Fleet(1803)
    start = it.world.at(DAYS - 1, 11, 20)
    traces = [it.trace() for _ in range(5)]
    for number, trace in enumerate(traces):  # five wrong answers of one server
        it.fail("desk-agent-3", after(start, number), "docs-mcp", trace=trace, attack=True, ip=MARK)
    for number in range(420):  # and everybody who works on them goes on with what is wrong
        kind = it.rng.choice(["buyer", "ops", "desk"])
        who = f"{kind}-agent-{1 + number % PER_KIND}"
        server = it.rng.choice([server for server in SERVERS[kind] if server != "docs-mcp"])
        it.fail(who, after(start, 6 + number * 0.27), server, trace=traces[number % 5], attack=True, ip=MARK,
                status=[400, 422, 500][number % 3])
    save("agent_graph", "attack", "five_errors_become_four_hundred", it.world, "graph_generic", "desk-agent-3",
         marker=MARK, until=15)

    it = Fleet(1804, traces=False)
    start = it.world.at(DAYS - 1, 15, 42)
    for number in range(4):
        it.fail("person-1", after(start, 5 * number), "tickets-mcp", kind="user", chain="planner-1, desk-agent-1",
                attack=True, ip=MARK)
    for number in range(160):  # no traces: the same planner, for the same person
        helper = ["buyer-agent-1", "desk-agent-1"][number % 2]
        server = it.rng.choice([server for server in it.agents[helper] if server != "tickets-mcp"])
        it.fail("person-1", after(start, 24 + number * 1.4), server, kind="user", chain=f"planner-1, {helper}",
                attack=True, ip=MARK, status=500)
    save("agent_graph", "attack", "errors_go_from_helper_to_helper", it.world, "graph", "desk-agent-1", marker=MARK,
         until=15)

    it = Fleet(1811)
    start = it.world.at(DAYS - 1, 10)
    for index in range(PER_KIND):  # a deploy: all desks may look at the stock from now on
        for hour in range(5):
            it.work(f"desk-agent-{index + 1}", after(start, 3_600 * hour + 97 * index), ["stock-mcp"])
    save("agent_graph", "benign", "a_deploy_gives_all_desks_the_stock", it.world, "graph")

    it = Fleet(1812)
    start = it.world.at(DAYS - 1, 9)
    for index in range(10):  # ten new agents, with a planner and a server of their own
        for hour in range(6):
            at = after(start, 3_600 * hour + 131 * index)
            it.work(f"fraud-agent-{index + 1}", at, ["fraud-mcp", "payments-mcp"])
            for number in range(3):
                it.call("person-9", after(at, 20 * number), "fraud-mcp", kind="user", trace=it.trace(),
                        chain=f"fraud-planner, fraud-agent-{index + 1}, scoring-agent")
    save("agent_graph", "benign", "a_new_fleet_among_the_others", it.world, "graph")

    it = Fleet(1813)
    for hour in it.world.hours():  # looks at whatever the world offers, since ever
        for number in range(it.rng.randrange(3, 9)):
            it.call("browse-agent", hour + timedelta(seconds=it.rng.randrange(3_000)),
                    f"site-{it.rng.randrange(4_000)}.example", trace=it.trace())
    save("agent_graph", "benign", "an_agent_that_goes_everywhere", it.world, "graph")

    it = Fleet(1814)
    start = it.world.at(DAYS - 1, 13, 10)
    for number in range(240):  # one server is down: each failure is reported back along its path, and no more
        index, trace = 1 + number % PER_KIND, it.trace()
        at = after(start, 7 * number)
        it.fail(f"desk-agent-{index}", at, "crm-mcp", trace=trace)
        it.fail(f"planner-{index}", after(at, 1), f"desk-agent-{index}", trace=trace, status=502)
        it.fail("front-agent", after(at, 2), f"planner-{index}", trace=trace, status=502)
    save("agent_graph", "benign", "a_server_is_down_for_half_an_hour", it.world, "graph")

    it = Fleet(1815)
    start = it.world.at(DAYS - 1, 11, 31)
    for number in range(900):  # nothing works, for anybody: each trace tries all that it knows
        name = it.rng.choice(sorted(it.agents))
        trace, other = it.trace(), it.rng.choice(sorted(it.agents))
        for step in range(7):
            who = [name, other][step % 2]
            it.fail(who, after(start, 0.6 * number + 0.1 * step), it.rng.choice(it.agents[who]), trace=trace)
    save("agent_graph", "benign", "the_whole_gateway_fails", it.world, "graph_generic")


LINE = re.compile(r'(\S+) \S+ \S+ \[[^\]]+\] "(\S+) /([^/?\s]*)[^"]*" (\d+) (\S+) "[^"]*" "([^"]*)"')
COPIES = 3


def make_real(real, logs, keep):
    """A real site's requests by programs that are no browsers, four days three times over: the program stands
    as the agent, the first part of the path as whom it calls."""
    site = [line for line in real.read(logs / "apache_semicomplete.log.gz") if LINE.match(line)]

    def program(line):
        if line.startswith(real.FEED_READER):
            return "feed-agent"
        known = re.search(r"Googlebot|bingbot|Feedly|Chrome|Firefox|MSIE|Safari|Opera|[A-Za-z-]+", LINE.match(line)[6])
        return known[0].lower() if known else "other"

    def as_call(line, copy=0, **more):
        address, method, first, status, _, _ = LINE.match(line).groups()
        call = {"time": real.iso_of(real.time_of(line) + timedelta(days=4 * copy)), "principal_id": program(line),
                "principal_type": "service", "client_address": address, "http_request_method": method,
                "url_path": "/" + first, "http_response_status_code": int(status), "tool_name": "get",
                "mcp_server": first or "index"}
        return json.dumps(call | more, separators=(",", ":"))

    people = {"mozilla", "opera", "safari", "mobilesafari"}
    site = [line for line in site if program(line) not in people]
    lines = [(as_call(line, copy), False) for copy in range(COPIES) for line in site]
    keep("agent_graph", "benign", "real_site_programs_and_what_they_read", lines)
    start = real.time_of(site[-1]).replace(hour=10, minute=5, second=9) + timedelta(days=4 * (COPIES - 1))
    more = [as_call(real.line_of(real.FEED_READER, start + timedelta(seconds=50 * number) - timedelta(days=8),
                                 "GET /files/", 200, 900, "UniversalFeedParser/4.2-pre-314-svn"), 2,
                    principal_id="reader-7", principal_type="user", actor_chain="feed-agent, digest-agent, mailer")
            for number in range(9)]
    keyed = [(json.loads(line)["time"], 0, number, line, False) for number, (line, _) in enumerate(lines)]
    keyed += [(json.loads(line)["time"], 1, number, line, True) for number, line in enumerate(more)]
    mixed = [(line, attack) for _, _, _, line, attack in sorted(keyed, key=lambda it: it[:3])]
    keep("agent_graph", "attack", "real_site_a_feed_reader_has_others_read_files", mixed, principal="feed-agent",
         marker="feed-agent, digest-agent", earliest=real.iso_of(start - timedelta(seconds=1)),
         latest=real.iso_of(start + timedelta(minutes=60)))
