"""Cases of `delegation`: agents that act for people of the company (world.py), as they should and not."""

import json
import re
from datetime import datetime, timedelta, timezone

import world
from world import World

KINDS = ["scheduler", "expenses", "drafts"]
PER_KIND = 4
MARK = "198.18.0.7"  # from where the attacker drives an agent


def acted(call):
    """Canonical; whoever acts stands beside the principal."""
    line = json.loads(world.canonical(call))
    more = {"agent_id": call.get("agent"), "actor_chain": call.get("chain"), "principal_type": "user"}
    return json.dumps(line | {key: value for key, value in more.items() if value}, separators=(",", ":"))


def acted_generic(call):
    line = json.loads(world.generic(call))
    line["user_id"] = line.pop("consumer")
    return json.dumps(line | ({"agent_id": call["agent"]} if call.get("agent") else {}), separators=(",", ":"))


world.FORMATS |= {"acted": (acted, "ndjson"), "acted_generic": (acted_generic, "ndjson")}


class Delegates:
    """A world in which each agent acts for a few people who gave it their consent, every hour."""

    def __init__(self, seed, days=3, skip=lambda name, hour: False, per_role=8):
        self.world = World(seed, days=days, per_role=per_role, rate=3.0).background()
        self.rng = self.world.rng
        self.people = list(self.world.callers)
        self.agents = {f"{kind}-agent-{index + 1}": self.rng.sample(self.people, 4)
                       for kind in KINDS for index in range(PER_KIND)}
        for hour in self.world.hours():
            for name, people in self.agents.items():
                if self.rng.random() < 0.8 and not skip(name, hour):
                    for person in self.rng.sample(people, self.rng.randrange(1, 4)):
                        self.act(name, person, hour + timedelta(seconds=self.rng.randrange(3_000)),
                                 self.rng.randrange(2, 5))

    def act(self, name, person, at, count=1, step=7.0, **more):
        for number in range(count):
            self.world.call(person, at + timedelta(seconds=step * number), *self.world.pick(person), status=200,
                            agent=name, ip="10.60.1.4", ua="agent-runtime/1.9", **more)

    def attack(self, name, person, at, **more):
        self.act(name, person, at, **{"attack": True, **more})


def outside(it, people, count):
    """A call for each of them to so many endpoints that their role never calls."""
    everything = list(dict.fromkeys((method, path, size) for role in world.ROLES.values()
                                    for method, path, _, size in role))
    for person in people:
        own = {(method, path) for method, path, _, _ in person.role}
        others = [call for call in everything if call[:2] not in own]
        for method, path, size in it.rng.sample(others, count):
            yield person, (method, path.replace("{n}", str(it.rng.choice(person.mine))), size)


def make(save):
    it = Delegates(1501)
    at = it.world.at(2, 10, 12)
    for number, person in enumerate(it.rng.sample(it.people, 28)):  # whoever there is
        it.world.attack(person, at + timedelta(seconds=40 * number), *it.world.pick(person), agent="scheduler-agent-2",
                        ip=MARK, ua="agent-runtime/1.9")
    save("delegation", "attack", "a_scheduler_acts_for_everybody", it.world, "acted", "scheduler-agent-2", marker=MARK,
         until=50)

    it = Delegates(1502)
    at, own = it.world.at(2, 14, 3), it.agents["expenses-agent-3"]
    others = [person for person in it.people if person not in own]
    for number, person in enumerate(it.rng.sample(others, 9)):  # slowly, and only those who never used it
        it.world.attack(person, at + timedelta(minutes=5 * number), *it.world.pick(person), agent="expenses-agent-3",
                        ip=MARK, ua="agent-runtime/1.9")
    save("delegation", "attack", "nine_who_never_used_it", it.world, "acted_generic", "expenses-agent-3", marker=MARK,
         until=60)

    it = Delegates(1503)
    team = it.people[:20]
    for hour in it.world.hours():  # it acts for many, and for the same
        for person in it.rng.sample(team, 9):
            it.act("desk-agent", person, hour + timedelta(seconds=it.rng.randrange(3_000)), 2,
                   chain="desk-agent, mail-agent")
    at = it.world.at(2, 11, 20)
    for number, person in enumerate(it.people[20:]):
        it.world.attack(person, at + timedelta(seconds=70 * number), *it.world.pick(person), ip=MARK,
                        ua="agent-runtime/1.9", chain="desk-agent, mail-agent, plugin-77, plugin-78")
    save("delegation", "attack", "a_desk_through_a_longer_chain", it.world, "acted", "desk-agent", marker=MARK,
         until=60)

    it = Delegates(1505, days=12, per_role=4)
    at = it.world.at(11, 10, 12)
    for number, (person, call) in enumerate(outside(it, it.agents["drafts-agent-2"][:2], 8)):  # by its own people
        it.world.attack(person, at + timedelta(seconds=40 * number), *call, agent="drafts-agent-2", ip=MARK,
                        ua="agent-runtime/1.9")
    save("delegation", "attack", "an_assistant_does_what_its_people_never_do", it.world, "acted", "drafts-agent-2",
         marker=MARK, until=60)

    it = Delegates(1515, days=12, per_role=4)
    for hour in it.world.hours():  # what it is for: they never do that themselves
        people = it.rng.sample(it.people[:6], 3 if hour < it.world.at(11, 10) else 6)
        for person, call in outside(it, people, 3):
            it.world.call(person, hour + timedelta(seconds=it.rng.randrange(3_000)), *call, status=200,
                          agent="report-agent", ip="10.60.1.5", ua="agent-runtime/1.9")
    save("delegation", "benign", "an_assistant_that_always_does_more_than_its_people", it.world, "acted")

    it = Delegates(1516, days=12, per_role=4)
    at = it.world.at(11, 15, 10)
    for number in range(120):  # far more than ever, and all of it what they do themselves
        it.act("drafts-agent-1", it.agents["drafts-agent-1"][number % 4], at + timedelta(seconds=20 * number))
    save("delegation", "benign", "an_assistant_does_more_of_what_its_people_do", it.world, "acted")

    it = Delegates(1511)
    for hour in it.world.hours():  # new people all the time
        for number in range(it.rng.randrange(8, 20)):
            customer = world.Caller(it.world, f"customer-{it.rng.getrandbits(30):08x}", world.SALES, 1.0)
            it.act("shop-assistant", customer, hour + timedelta(seconds=it.rng.randrange(3_000)), 3)
    save("delegation", "benign", "a_helper_for_every_customer", it.world, "acted")

    it = Delegates(1512)
    for day in range(3):  # everybody's report, each morning since ever, and nothing else
        for number, person in enumerate(it.people):
            it.act("report-agent", person, it.world.at(day, 7, 5) + timedelta(seconds=31 * number))
        for hour in range(8, 18):
            it.act("report-agent", it.people[hour % 3], it.world.at(day, hour, 30))
    save("delegation", "benign", "a_report_for_everybody_each_morning", it.world, "acted_generic")

    it = Delegates(1513)
    for hour in list(it.world.hours())[24:]:  # an agent that is new on the third day
        for person in it.rng.sample(it.people[:6], 3):
            it.act("minutes-agent", person, hour + timedelta(seconds=it.rng.randrange(3_000)), 3)
    save("delegation", "benign", "a_new_agent_among_its_peers", it.world, "acted")

    it = Delegates(1514)
    at = it.world.at(2, 15, 10)
    for number in range(200):  # far more calls than ever, for the four whom it knows
        it.act("drafts-agent-1", it.agents["drafts-agent-1"][number % 4], at + timedelta(seconds=12 * number))
    it.act("drafts-agent-1", it.people[5], at, 6)  # and somebody begins to use it
    save("delegation", "benign", "much_to_do_for_the_same_four", it.world, "acted")


UNTIL = datetime(2015, 5, 18, 13, tzinfo=timezone.utc)
LINE = re.compile(r'(\S+) \S+ \S+ \[[^\]]+\] "(\S+) (\S+)[^"]*" (\d+) (\S+) "[^"]*" "([^"]*)"')


def make_real(real, logs, keep):
    """A real site's requests: the program stands as the agent, the visitor as whom it acts for."""
    site = [line for line in real.read(logs / "apache_semicomplete.log.gz", UNTIL) if LINE.match(line)]

    def program(agent):
        known = re.search(r"Googlebot|bingbot|Feedly|Chrome|Firefox|MSIE|Safari|Opera|[A-Za-z-]+", agent)
        return known[0].lower() if known else "other"

    def as_acted(line, agent=None, who=None):
        address, method, path, status, size, ua = LINE.match(line).groups()
        call = {"time": real.iso_of(real.time_of(line)), "principal_id": who or "v" + address.replace(".", "-"),
                "principal_type": "user", "client_address": address, "http_request_method": method, "url_path": path,
                "http_response_status_code": int(status), "http_response_body_size": int(size) if size != "-" else None,
                "user_agent_original": ua, "agent_id": agent or program(ua)}
        return json.dumps({key: value for key, value in call.items() if value is not None}, separators=(",", ":"))

    lines = [as_acted(line, agent="feed-agent" if line.startswith(real.FEED_READER) else None) for line in site]
    keep("delegation", "benign", "real_site_programs_as_agents", [(line, False) for line in lines])
    at = UNTIL - timedelta(hours=3)
    visitors = sorted({line.split(" ", 1)[0] for line in site})[::30][:20]
    more = [real.line_of(address, at + timedelta(seconds=55 * number), "GET /blog/tags/puppet?flav=rss20", 200, 14_872,
                         "UniversalFeedParser/4.2-pre-314-svn") for number, address in enumerate(visitors)]
    mixed = [(as_acted(line, agent="feed-agent" if attack or line.startswith(real.FEED_READER) else None), attack)
             for line, attack in real.splice(site, more)]
    keep("delegation", "attack", "real_site_a_feed_reader_for_twenty", mixed, principal="feed-agent",
         marker='"agent_id":"feed-agent"', earliest=real.iso_of(at - timedelta(seconds=1)),
         latest=real.iso_of(at + timedelta(minutes=60)))
