"""Cases of `tool_drift`: agents with their tools, which change as they may and as they must not."""

import json
import re
from datetime import datetime, timedelta, timezone

import world
from world import World

# server, tool, weight, middle bytes of a request
MAIL = [("mail-mcp", "send_email", 5, 420), ("mail-mcp", "search_mail", 3, 150), ("mail-mcp", "list_folders", 1, 90)]
CRM = [("crm-mcp", "get_customer", 6, 110), ("crm-mcp", "update_customer", 2, 700), ("crm-mcp", "list_orders", 2, 160)]
KINDS = {"mail": MAIL, "crm": CRM}
PER_KIND = 4


def tooled(call):
    line = json.loads(world.canonical(call))
    more = {"tool_name": call.get("tool"), "mcp_server": call.get("server"), "agent_id": call.get("agent"),
            "principal_type": "user" if call.get("agent") else "service"}
    return json.dumps(line | {key: value for key, value in more.items() if value}, separators=(",", ":"))


def tooled_generic(call):
    line = json.loads(world.generic(call))
    more = {"tool_name": call.get("tool"), "mcp_server": call.get("server")}
    return json.dumps(line | {key: value for key, value in more.items() if value}, separators=(",", ":"))


world.FORMATS |= {"tooled": (tooled, "ndjson"), "tooled_generic": (tooled_generic, "ndjson")}


class Tools:
    """A world with eight agents or more; `use` may change what one of them does in an hour."""

    def __init__(self, seed, use=lambda name, hour, tools: tools, user=None, spread=0.2, days=8, per_kind=PER_KIND):
        self.world = World(seed, days=days, per_role=2, rate=1.0).background(share=0.3)
        self.rng, self.user, self.spread = self.world.rng, user, spread
        for hour in self.world.hours():
            for kind, tools in KINDS.items():
                for index in range(per_kind):
                    name = f"{kind}-agent-{index + 1}"
                    if self.rng.random() < 0.9:
                        self.session(name, hour, use(name, hour, tools))

    def session(self, name, hour, tools, count=None):
        at = hour + timedelta(seconds=self.rng.randrange(1_800))
        often = self.rng.lognormvariate(0, self.spread)
        for _ in range(count or self.rng.randrange(8, 13)):
            at += timedelta(milliseconds=self.rng.randrange(2_000, 60_000))
            server, tool, _, size, *more = self.rng.choices(tools, [it[2] for it in tools])[0]
            self.call(name, at, server, tool, size * often * self.rng.lognormvariate(0, 0.3),
                      attack="attack" in more)

    def call(self, name, at, server, tool, size, **more):
        who = {"who": name}
        if self.user:  # on behalf of a person
            who = {"who": self.user(name), "agent": name}
        self.world.calls.append({"at": at, "ip": "10.70.1.9", "ua": "agent-runtime/2.0", "method": "POST",
                                 "path": "/mcp", "status": 200, "out": round(self.rng.lognormvariate(7, 0.6)),
                                 "in": round(size), "ms": 40, "attack": False, "tool": tool, "server": server}
                                | who | more)


def at(day, hour):
    return World(0, days=8, per_role=0).at(day, hour)


def make(save):
    renamed = [("mail-mcp", "send_mail_v2", 5, 430, "attack"), *MAIL[1:]]
    it = Tools(1601, lambda name, hour, tools: renamed if hour >= at(7, 10) and tools is MAIL else tools)
    save("tool_drift", "attack", "a_tool_is_renamed", it.world, "tooled", "mail-agent-3", marker="send_mail_v2")

    grown = [("mail-mcp", "send_email", 5, 3_400, "attack"), *MAIL[1:]]  # one more field, with what was read
    it = Tools(1602, lambda name, hour, tools: grown if hour >= at(7, 11) and name == "mail-agent-2" else tools)
    save("tool_drift", "attack", "requests_grow_eightfold", it.world, "tooled_generic", "mail-agent-2",
         marker='"consumer":"mail-agent-2"', until=30)

    it = Tools(1603, user=lambda name: name.replace("agent", "person"), days=10, per_kind=8)
    begin = at(9, 14)
    for number in range(12):  # beside the tool that it knows
        it.call("crm-agent-4", begin + timedelta(seconds=25 * number), "notes-mcp", "get_customer", 115, attack=True)
    save("tool_drift", "attack", "a_known_name_from_another_server", it.world, "tooled", "crm-agent-4",
         marker="notes-mcp", until=50)

    more = [*MAIL, ("mail-mcp", "summarize_thread", 3, 180)]
    it = Tools(1611, lambda name, hour, tools: more if hour >= at(6, 9) and tools is MAIL else tools)
    save("tool_drift", "benign", "a_new_tool_for_everybody", it.world, "tooled")

    it = Tools(1612, lambda name, hour, tools: [*tools, CRM[0]] if name == "mail-agent-4" and hour >= at(7, 8)
               else tools)
    save("tool_drift", "benign", "one_begins_with_a_tool_that_others_have", it.world, "tooled_generic")

    it = Tools(1613, spread=0.9)
    save("tool_drift", "benign", "requests_of_all_sizes", it.world, "tooled")

    other = [("mail-mcp", "export_folder", 2, 1_900), *MAIL[1:]]
    it = Tools(1614, lambda name, hour, tools: other if name == "mail-agent-1" and hour == at(7, 12) else tools,
               user=lambda name: name.replace("agent", "person"))
    save("tool_drift", "benign", "an_hour_without_the_usual_one", it.world, "tooled")


LINE = re.compile(r'(\S+) \S+ \S+ \[[^\]]+\] "(\S+) /([^/?\s]*)[^"]*" (\d+) (\S+) "[^"]*" "([^"]*)"')


def make_real(real, logs, keep):
    """A real site's requests: the program stands as the agent, the first part of the path as the tool."""
    site = [line for line in real.read(logs / "apache_semicomplete.log.gz") if LINE.match(line)]

    def program(line):
        if line.startswith(real.FEED_READER):
            return "feed-agent"
        known = re.search(r"Googlebot|bingbot|Feedly|Chrome|Firefox|MSIE|Safari|Opera|[A-Za-z-]+",
                          LINE.match(line)[6])
        return known[0].lower() if known else "other"

    def as_tool(line, server="site"):
        address, method, first, status, size, ua = LINE.match(line).groups()
        call = {"time": real.iso_of(real.time_of(line)), "principal_id": program(line), "principal_type": "service",
                "client_address": address, "http_request_method": method, "url_path": "/" + first,
                "http_response_status_code": int(status), "user_agent_original": ua, "tool_name": first or "index",
                "mcp_server": server}
        return json.dumps(call, separators=(",", ":"))

    keep("tool_drift", "benign", "real_site_parts_as_tools", [(as_tool(line), False) for line in site])
    begin = datetime(2015, 5, 20, 12, 1, tzinfo=timezone.utc)
    more = [real.line_of(real.FEED_READER, begin + timedelta(seconds=50 * number), "GET /blog/tags/puppet", 200, 14_872,
                         "UniversalFeedParser/4.2-pre-314-svn") for number in range(14)]
    mixed = [(as_tool(line, "mirror" if attack else "site"), attack) for line, attack in real.splice(site, more)]
    keep("tool_drift", "attack", "real_site_a_tool_from_elsewhere", mixed, principal="feed-agent",
         marker='"mcp_server":"mirror"', earliest=real.iso_of(begin - timedelta(seconds=1)),
         latest=real.iso_of(begin + timedelta(minutes=60)))
