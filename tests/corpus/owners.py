"""Cases of foreign_object: objects that one identity alone has read, and then another one does."""

import json
from datetime import datetime, timedelta, timezone

from world import World


def company(seed, form_of=None):
    """Sixteen of each role, each with objects of its own, busy for three days."""
    return World(seed, per_role=16, rate=16.0).background()


def others(world, thief, count, per=1):
    """Objects of others in the same role, a few of each."""
    peers = [caller for caller in world.callers if caller.role is thief.role and caller is not thief]
    numbers = [number for nth in range(6) for caller in peers for number in caller.mine[nth * per:nth * per + per]]
    return list(dict.fromkeys(numbers))[:count]


def make(save):
    world = company(1501)
    at, thief = world.at(2, 14, 3), world.caller("sales-03")
    for nth, number in enumerate(others(world, thief, 16)):
        world.attack(thief, at + timedelta(seconds=35 * nth), "GET", f"/orders/{number}", 1_500)
    save("foreign_object", "attack", "orders_of_sixteen_colleagues", world, "kong", "sales-03")

    world = company(1502)
    at, thief = world.at(2, 10, 20), world.caller("fin-11")
    for nth, number in enumerate(others(world, thief, 9)):
        world.attack(thief, at + timedelta(seconds=180 * nth), "GET", f"/invoices/{number}", 2_000)
    save("foreign_object", "attack", "nine_invoices_in_half_an_hour", world, "generic", "fin-11")

    world = company(1503)
    thief = world.caller("support-05")
    for nth, number in enumerate(others(world, thief, 22)):  # two or three an hour, all day long
        world.attack(thief, world.at(2, 8, 5) + timedelta(minutes=23 * nth), "GET", f"/tickets/{number}", 2_500)
    save("foreign_object", "attack", "two_or_three_tickets_an_hour", world, "canonical", "support-05", until=60)

    world = company(1511)
    reader = world.caller("sales-05")
    numbers = others(world, reader, 4)
    for nth in range(24):  # takes two customers over from a colleague
        world.call(reader, world.at(2, 9, 10) + timedelta(minutes=20 * nth), "GET", f"/orders/{numbers[nth % 4]}",
                   1_500, 200)
    save("foreign_object", "benign", "four_orders_change_hands", world, "kong")

    world = company(1512)
    at, reader = world.at(2, 14, 3), world.caller("sales-03")
    for number in range(16):  # orders that nobody has read yet
        world.call(reader, at + timedelta(seconds=35 * number), "GET", f"/orders/{70_000 + 31 * number}", 1_500, 200)
    save("foreign_object", "benign", "sixteen_new_orders", world, "generic")

    world = World(1513, per_role=16, rate=16.0)
    auditor = world.add("auditor-01", [("GET", "/invoices/{n}", 1, 2_000)], 0.0)
    world.background(lambda caller, hour: caller is auditor)
    clerks = [caller for caller in world.callers if caller.name.startswith("fin")]
    for hour in world.hours():  # has always looked at everybody's
        for nth in range(12):
            number = world.rng.choice(world.rng.choice(clerks).mine)
            world.call(auditor, hour + timedelta(seconds=100 + 200 * nth), "GET", f"/invoices/{number}", 2_000, 200)
    save("foreign_object", "benign", "the_auditor", world, "canonical")

    world = World(1514, per_role=16, rate=16.0)
    common = [world.rng.randrange(1_000, 9_000) for _ in range(150)]
    for caller in world.callers:  # everybody reads the same things
        caller.mine = common
    world.background()
    at, reader = world.at(2, 14, 3), world.caller("sales-03")
    for nth in range(40):
        world.call(reader, at + timedelta(seconds=35 * nth), "GET", f"/orders/{common[nth]}", 1_500, 200)
    save("foreign_object", "benign", "objects_that_all_share", world, "kong")


def make_real(real, logs, keep):
    """On the lines of a public site: who came when is real, what they read are profiles of their own."""
    lines = [line for line in real.read(logs / "apache_semicomplete.log.gz") if real.PARTS.match(line)]
    number, kept = {}, []
    for line in lines:
        fields = json.loads(real.as_agent(line))
        fields.pop("agent_name", None)
        fields.pop("url_query", None)
        who = fields["client_address"]
        own = number.setdefault(who, 10_000 + 37 * len(number))
        fields |= {"principal_id": "reader-" + who, "url_path": f"/profiles/{own}"}
        kept.append((json.dumps(fields, separators=(",", ":")), False))
    hours = {}
    for text, _ in kept:
        fields = json.loads(text)
        hours.setdefault(fields["url_path"], set()).add(fields["time"][:13])
    often = [path for path, seen in hours.items() if len(seen) >= 4]
    keep("foreign_object", "benign", "real_visitors_and_their_own_profiles", kept)
    iso = "%Y-%m-%dT%H:%M:%S.000Z"
    at = datetime(2015, 5, 20, 12, 5, 10, tzinfo=timezone.utc)
    foreign = [(json.dumps({"time": (at + timedelta(seconds=41 * nth)).strftime(iso), "client_address": real.FEED_READER,
                            "http_request_method": "GET", "url_path": path, "http_response_status_code": 200,
                            "http_response_body_size": 4_000 + nth, "principal_id": "reader-" + real.FEED_READER},
                           separators=(",", ":")), True)
               for nth, path in enumerate(often[:20])]
    both = sorted(kept + foreign, key=lambda it: (json.loads(it[0])["time"], it[1]))
    keep("foreign_object", "attack", "real_visitors_and_one_reads_others", both,
         principal="reader-" + real.FEED_READER, marker=real.FEED_READER, earliest=at.strftime(iso),
         latest=(at + timedelta(minutes=60)).strftime(iso))
