"""Cases of toxic_flow: something sensitive is read, and then something is sent out."""

import json
from datetime import datetime, timedelta, timezone

from world import FORMATS, World, canonical


def with_session(call):
    """A canonical line with a session and an agent, where the call has them."""
    line = json.loads(canonical(call)) | call.get("flow", {})
    return json.dumps(line, separators=(",", ":"))


FORMATS["flow"] = (with_session, "ndjson")


def office(seed, mailer=True):
    """A company whose people look at files of employees every day, and some of which send mail."""
    world = World(seed, days=4, per_role=8, rate=10.0).background()
    for hour in world.hours():
        for index, caller in enumerate(world.callers):
            sends = mailer and index % 8 == 0
            if not sends and world.rng.random() < 0.5:
                at = hour + timedelta(seconds=world.rng.uniform(0, 3_000))
                world.call(caller, at, "GET", f"/hr/employees/{caller.mine[0]}", 2_000, 200)
            if sends and world.rng.random() < 0.6:  # four send newsletters, and look at nobody's file
                world.call(caller, hour + timedelta(seconds=3_300), "POST", "/newsletters/publish", 90, 200)
    return world


def make(save):
    world = office(1701)
    at, thief = world.at(3, 14, 3), world.caller("sales-04")
    for number in range(40):
        world.attack(thief, at + timedelta(seconds=6 * number), "GET", f"/hr/employees/{3000 + number}", 2_000)
    for number in range(3):
        world.attack(thief, at + timedelta(seconds=281 + 20 * number), "POST", "/hooks/outbound", 90,
                     **{"in": 400_000})
    save("toxic_flow", "attack", "forty_files_and_then_a_hook", world, "kong", "sales-04")

    world = office(1702)
    at, agent = world.at(3, 10, 20), world.caller("support-03")
    flow = {"session_id": "s-88", "agent_id": "helper-1"}
    for number in range(5):
        world.attack(agent, at + timedelta(seconds=9 * number), "GET", f"/hr/employees/{3000 + number}", 2_000,
                     flow=flow)
    world.attack(agent, at + timedelta(seconds=86), "POST", "/relay/email", 90, flow=flow, **{"in": 60_000})
    save("toxic_flow", "attack", "an_agent_mails_what_it_read", world, "flow", "support-03")

    world = office(1703)
    at, thief = world.at(2, 15, 40), world.caller("fin-06")
    world.attack(thief, at, "GET", "/hr/employees/4711", 2_000)
    world.attack(thief, at + timedelta(minutes=26), "POST", "/webhook/forward", 90, **{"in": 2_000})
    save("toxic_flow", "attack", "half_an_hour_later_and_into_the_next_hour", world, "generic", "fin-06", until=60)

    world = World(1711, days=4, per_role=8, rate=10.0).background()
    for hour in world.hours():  # looks at a file and writes to whose it is: always has
        for caller in world.callers:
            if world.rng.random() < 0.5:
                at = hour + timedelta(seconds=world.rng.uniform(0, 3_000))
                world.call(caller, at, "GET", f"/hr/employees/{caller.mine[0]}", 2_000, 200)
                if caller.name.startswith("support"):
                    world.call(caller, at + timedelta(seconds=90), "POST", "/messages/emails", 90, 200)
    save("toxic_flow", "benign", "support_writes_to_whom_it_looks_up", world, "kong")

    world = office(1712)
    at, sender = world.at(3, 14, 3), world.caller("sales-04")
    for number in range(3):  # sends, and had read nothing
        world.call(sender, at + timedelta(hours=0, seconds=20 * number), "POST", "/prices/publish", 90, 200)
    world.calls = [call for call in world.calls if not (call["who"] == "sales-04" and "/hr/" in call["path"])]
    save("toxic_flow", "benign", "a_call_out_with_nothing_read", world, "generic")

    world = office(1713)
    at, agent = world.at(3, 10, 20), world.caller("support-03")
    world.calls = [call for call in world.calls
                   if not (call["who"] == "support-03" and call["at"] >= world.at(3, 9) and "/hr/" in call["path"])]
    world.call(agent, at, "GET", "/hr/employees/4711", 2_000, 200, flow={"session_id": "s-1"})
    world.call(agent, at + timedelta(seconds=60), "POST", "/relay/email", 90, 200, flow={"session_id": "s-2"})
    save("toxic_flow", "benign", "another_session_sends", world, "flow")


def make_real(real, logs, keep):
    """On the lines of a public site: one folder stands for files of people, and its reader sends them on."""
    lines = [line for line in real.read(logs / "apache_semicomplete.log.gz") if real.PARTS.match(line)]
    asked = [line.replace(" /presentations/", " /hr/employees/").replace(" /blog/tags/", " /hr/employees/")
             for line in lines]
    at = datetime(2015, 5, 20, 12, 5, 10, tzinfo=timezone.utc)
    who = real.FEED_READER
    more = [real.line_of(who, at + timedelta(seconds=8 * number), f"GET /hr/employees/{number}", 200, 3_000 + number)
            for number in range(12)]
    more += [real.line_of(who, at + timedelta(seconds=140 + 9 * number), "POST /hooks/outbound", 200, 80)
             for number in range(2)]
    real.add(keep, "toxic_flow", "real_site_files_and_then_a_hook", asked, more, who)
    keep("toxic_flow", "benign", "real_site_with_files_of_people", [(line, False) for line in asked])
