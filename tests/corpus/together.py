"""Cases of `coincidence`: a little too much of several things in one hour, and twins that have it of one thing only,
or not in one hour."""

from datetime import datetime, timedelta, timezone

import networks
from world import World, iso

PAGES = [f"{word}-{place}" for word in ("guide", "form", "memo", "list", "plan", "faq", "map", "note")
         for place in ("north", "south", "east", "west")]
ELSEWHERE = "198.51.100.77"


def months(seed, days=16, per_role=9):
    """Sixteen days of a small company in which most hours have a little of something: a dead link or two, some changes,
    and now and then many of them. So it takes much to be odd by one of them alone."""
    world = World(seed, days=days, per_role=per_role, rate=5.0)
    rng = world.rng
    for hour in world.hours():
        for caller in world.callers:
            if rng.random() < 0.4:
                world.sitting(caller, hour, ip=whence(world, caller, hour))
                dead_links(world, caller, hour, few(rng, 0.9))
                changes(world, caller, hour, few(rng, 2.5) if rng.random() < 0.5 else 0)
    return world


def few(rng, mean):
    """A number that is mostly small and now and then large."""
    return min(int(rng.expovariate(1 / mean) * rng.choice([0.5, 1, 1, 2])), 16)


def whence(world, caller, hour):
    """Whoever travels is one day elsewhere, once in a while."""
    day = (hour - world.at(0, 7)).days
    is_away = hash_of(caller.name, day) % 40 == 0
    return f"192.0.{hash_of(caller.name, day) % 90 + 2}.{9}" if is_away else caller.ip


def hash_of(name, day):
    return sum((index + 7) * byte for index, byte in enumerate(f"{name}/{day * 7919}".encode()))


def dead_links(world, caller, hour, count, attack=False, ip=None, start=300, gap=41):
    """So many pages that are not there, each of them once."""
    for number in range(count):
        path = f"/pages/{PAGES[(hash_of(caller.name, hour.hour + hour.day) + number) % len(PAGES)]}"
        world.call(caller, hour + timedelta(seconds=start + gap * number), "GET", path, 300, status=404,
                   attack=attack, ip=ip or caller.ip)


def changes(world, caller, hour, count, attack=False, ip=None, start=500, gap=33):
    """So many different things of its own kind, changed."""
    kind = {"sales": "orders", "support": "tickets", "stock": "stock", "fin": "invoices"}[caller.name.split("-")[0]]
    for number in range(count):
        path = f"/{kind}/{10_000 + hash_of(caller.name, hour.hour + hour.day) % 900 * 40 + number}"
        world.call(caller, hour + timedelta(seconds=start + gap * number), "PUT", path, 200, status=200,
                   attack=attack, ip=ip or caller.ip)


def others_work(world, caller, other, hour, count, **more):
    """What another does, at things of its own that nobody had before."""
    for number in range(count):
        method, path, size = world.pick(other)
        path = "/".join(f"{60_000 + number}" if part.isdigit() else part for part in path.split("/"))
        world.attack(caller, hour + timedelta(seconds=100 + 71 * number), method, path, size, **more)


def make(save):
    it = months(2801)
    victim, hour = it.caller("sales-04"), it.at(14, 13)
    it.sitting(victim, hour, ip=ELSEWHERE, attack=True)  # from elsewhere, and the rest is not much either
    dead_links(it, victim, hour, 24, True, ELSEWHERE)
    changes(it, victim, hour, 70, True, ELSEWHERE)
    save("coincidence", "attack", "from_elsewhere_at_many_doors_and_with_many_changes", it, "canonical", victim.name,
         until=60, marker=ELSEWHERE)

    it = months(2802)
    victim, other, hour = it.caller("fin-03"), it.caller("support-02"), it.at(13, 10)
    others_work(it, victim, other, hour, 30)
    dead_links(it, victim, hour, 22, True)
    changes(it, victim, hour, 60, True)
    save("coincidence", "attack", "somebody_elses_work_and_what_is_not_there", it, "kong", victim.name, until=60)

    it = months(2803)
    victim, other, hour = it.caller("stock-07"), it.caller("sales-01"), it.at(15, 9)
    others_work(it, victim, other, hour, 24, ip=ELSEWHERE)  # one after the other: the order alone is not odd
    changes(it, victim, hour, 55, True, ELSEWHERE, start=1_864, gap=20)
    dead_links(it, victim, hour, 26, True, ELSEWHERE, start=2_994, gap=20)
    save("coincidence", "attack", "somebody_elses_work_from_elsewhere", it, "generic", victim.name, until=60,
         marker=ELSEWHERE)

    it = months(2811)
    victim, hour = it.caller("sales-04"), it.at(14, 13)
    it.sitting(victim, hour)  # much is changed, fast and in large answers: all of it volume
    changes(it, victim, hour, 32, gap=20)
    for number in range(20):
        it.call(victim, hour + timedelta(seconds=2_000 + 19 * number), "GET", "/orders", 14_000)
    save("coincidence", "benign", "much_of_one_kind_of_thing", it, "canonical")

    it = months(2812)
    mover, hour = it.caller("fin-03"), it.at(13, 10)
    it.sitting(mover, hour, ip=ELSEWHERE)  # from elsewhere, and the rest is what most hours have
    dead_links(it, mover, hour, 5, ip=ELSEWHERE)
    changes(it, mover, hour, 12, ip=ELSEWHERE)
    save("coincidence", "benign", "from_elsewhere_with_a_little_of_the_rest", it, "kong")

    it = months(2813)
    victim = it.caller("sales-04")  # what the first attack has, on three days
    it.sitting(victim, it.at(12, 13), ip=ELSEWHERE)
    dead_links(it, victim, it.at(13, 13), 18)
    changes(it, victim, it.at(14, 13), 50)
    save("coincidence", "benign", "the_same_on_three_days", it, "canonical")

    it = months(2814)
    hour = it.at(14, 10)
    for caller in it.callers:  # pages that are not where they were, and a form for all to fill in again
        it.sitting(caller, hour)
        dead_links(it, caller, hour, 9)
        changes(it, caller, hour, 24)
    save("coincidence", "benign", "a_release_moves_everybody", it, "generic")


def make_real(real, logs, keep):
    """On real lines: every third address of a real site, all of four days, under names made of them."""
    whole = real.read(logs / "apache_semicomplete.log.gz")
    who = real.FEED_READER
    kept = [line for line in whole if line.startswith(f"{who} ") or "bot" in line.lower()
            or sum(line.split(" ", 1)[0].encode()) % 3 == 0]
    lines = [networks.named(line) for line in kept]
    name, start = "v" + who.replace(".", "-"), datetime(2015, 5, 20, 12, 0, 20, tzinfo=timezone.utc)
    program = next(line for line in whole if line.startswith(f"{who} ")).rsplit('"', 2)[1]

    def under_its_name(at, request, status, size):
        return real.line_of(ELSEWHERE, at, request, status, size, program).replace(" - - ", f" - {name} ", 1)

    paths = ["drafts", "private", "stats", "old", "test", "beta", "archive", "tmp"]
    spliced = [under_its_name(start + timedelta(seconds=110 * number), "GET /blog/tags/puppet?flav=rss20", 200, 124_872)
               for number in range(30)]
    spliced += [under_its_name(start + timedelta(seconds=31 + 170 * number), f"GET /{path}/", 404, 324)
                for number, path in enumerate(paths)]
    keep("coincidence", "attack", "real_site_a_feed_reader_elsewhere_looks_around", real.splice(lines, spliced),
         principal=name, marker=ELSEWHERE, earliest=iso(start - timedelta(seconds=1)),
         latest=iso(start + timedelta(minutes=90)))
    keep("coincidence", "benign", "real_site_with_names", [(line, False) for line in lines])
