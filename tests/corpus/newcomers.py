"""Cases of `identity_explosion`: floods of made-up identities, and what also brings many at once."""

import re
from datetime import timedelta

from world import START, World

DAYS = 11
MARK = "198.18."  # from where the floods come


def newcomer(world, number, at, prefix="visitor", **more):
    """One call of somebody who never called before."""
    call = {"who": f"{prefix}-{number:05}", "ip": f"10.{100 + number // 60_000}.{number // 250 % 240}.{number % 250}",
            "ua": "Mozilla/5.0 (X11; Linux x86_64) Firefox/137.0", "method": "GET", "path": "/prices", "status": 200,
            "out": 6_000, "in": 0, "ms": 25, "attack": False, "at": at}
    world.calls.append(call | more)


def come(world, hour, count, first, prefix="visitor", calls=2, **more):
    """So many come in an hour, with a few calls each."""
    for number in range(count):
        at = hour + timedelta(seconds=3_000 * number / count)
        for turn in range(calls):
            newcomer(world, first + number, at + timedelta(seconds=40 * turn), prefix,
                     path=["/prices", "/orders"][turn % 2], **more)
    return first + count


def usual(seed, days=DAYS, least=15, most=45):
    """The company, and a few new visitors in each hour."""
    world, count = World(seed, days=days, per_role=4, rate=3.0).background(share=0.3), 0
    for hour in world.hours():
        count = come(world, hour, world.rng.randrange(least, most), count)
    return world, count


def flood(world, start, count, seconds, name, **more):
    """Made-up identities, a call each, to made-up objects."""
    for number in range(count):
        fields = {"who": name(), "ip": f"{MARK}{number % 7}.{number % 40 + 1}", "attack": True,
                  "path": f"/orders/{world.rng.randrange(10 ** 6)}", "out": 1_500}
        newcomer(world, 0, start + timedelta(seconds=seconds * number / count), **(fields | more))


def make(save):
    world = World(2001, days=DAYS, per_role=4, rate=3.0).background(share=0.3)
    flood(world, world.at(DAYS - 1, 10, 5), 4_000, 2_400, lambda: f"u-{world.rng.getrandbits(48):012x}",
          method="POST", path="/accounts", status=201, out=300)
    save("identity_explosion", "attack", "accounts_made_by_a_script", world, "canonical", "", marker=MARK)

    world, _ = usual(2002)
    flood(world, world.at(DAYS - 1, 13, 20), 6_000, 1_800, lambda: None,
          ip=None)
    for call in world.calls:  # forged forwarding headers: an address of its own for each call
        call["ip"] = call["ip"] or ".".join(str(world.rng.randrange(1, 255)) for _ in range(4))
        call["ua"] = "masked/1.0" if call["attack"] else call["ua"]
    save("identity_explosion", "attack", "a_forged_address_for_each_call", world, "nginx", "", marker="masked/1.0")

    world, _ = usual(2003)
    for hour in range(3):
        flood(world, world.at(DAYS - 1, 9 + hour, 30), 3_500, 3_500, lambda: f"key-{world.rng.getrandbits(64):016x}")
    save("identity_explosion", "attack", "three_hours_of_made_up_keys", world, "kong", "", marker=MARK)

    world, count = usual(2011)
    for hour, times in zip(range(10, 15), (9, 16, 14, 8, 4)):  # up to sixteen times as many as ever
        count = come(world, world.at(DAYS - 1, hour), 45 * times, count)
    save("identity_explosion", "benign", "a_product_launch", world, "canonical")

    world, count = World(2012, days=14, per_role=4, rate=3.0), 0
    is_weekend = lambda at: at.weekday() >= 5
    world.background(lambda caller, hour: is_weekend(hour), share=0.3)
    for hour in world.hours():
        monday = 600 if hour.weekday() == 0 and hour.hour == 9 else 60
        count = come(world, hour, 2 if is_weekend(hour) else monday if hour.hour == 9 else 12, count, calls=1)
    last = START + timedelta(days=13)
    assert last.weekday() == 0
    count = come(world, last.replace(hour=10), 700, count, calls=1)
    save("identity_explosion", "benign", "monday_morning", world, "generic")

    world, count = World(2013, days=20, per_role=3, rate=3.0).background(share=0.2), 0
    for day in range(20):
        count = come(world, world.at(day, 12), round(350 * 1.05 ** day), count, calls=1)
    save("identity_explosion", "benign", "five_in_a_hundred_more_each_day", world, "kong")

    world, _ = usual(2014, least=8, most=20)
    names = lambda: f"admin{world.rng.getrandbits(40):010x}"
    flood(world, world.at(DAYS - 1, 11, 10), 4_000, 2_000, names, ip="198.18.3.9", status=401, out=120, attack=False)
    save("identity_explosion", "benign", "one_scanner_with_many_names", world, "nginx")


def moved(line, days, real):
    """A real line, days later, from another address: a first part that is taken by nobody else."""
    at = real.time_of(line) + timedelta(days=days)
    address = real.LINE.match(line)[1]
    return real.at_time(re.sub(r"^\S+", renamed(address, days), line), at)


def renamed(address, days):
    first, rest = address.split(".", 1)
    return f"{(int(first) + 17 * days) % 256}.{rest}"


def make_real(real, logs, keep):
    whole = real.read(logs / "apache_semicomplete.log.gz")
    lines = [moved(line, days, real) for days in (0, 4) for line in whole]
    hour = real.time_of(lines[-1]).replace(minute=0, second=0) + timedelta(hours=1)

    # A day of visitors within an hour, each from another address again: somebody large linked to the site.
    day = [line for line in whole if real.time_of(line).day == 19]
    linked = []
    for number, line in enumerate(day):
        at = hour + timedelta(seconds=int(3_500 * number / len(day)))
        address = renamed(real.LINE.match(line)[1], 3)
        linked.append(real.at_time(re.sub(r"^\S+", address, line), at))
    keep("identity_explosion", "benign", "real_site_a_days_visitors_in_an_hour", real.splice(lines, linked))

    # The same pages, but each call from an address of its own.
    rng = World(2021).rng
    calls = []
    for number in range(8_000):
        address = ".".join(str(rng.randrange(1, 255)) for _ in range(4))
        at = hour + timedelta(seconds=int(3_500 * number / 8_000))
        line = real.at_time(re.sub(r"^\S+", address, day[number % len(day)]), at)
        calls.append(re.sub(r'"[^"]*"$', '"masked/1.0"', line))
    iso = "%Y-%m-%dT%H:%M:%S.000Z"
    keep("identity_explosion", "attack", "real_site_an_address_for_each_call", real.splice(lines, calls),
         principal="", marker="masked/1.0", earliest=(hour - timedelta(seconds=1)).strftime(iso),
         latest=(hour + timedelta(minutes=65)).strftime(iso))
