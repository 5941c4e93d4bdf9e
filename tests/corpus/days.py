"""Cases of detectors that look at whole days: more than a week each, of a smaller company."""

from datetime import datetime, timedelta, timezone

from real import add, line_of, read
from world import World

VISITOR = "104.130.20.53"  # a few calls on most days


def cadence(save):
    def company(seed, days=9):
        return World(seed, days=days, per_role=3)

    def beats(world, who, first, last, period, jitter, path, size, kind):
        at = first
        while at < last:
            kind(who, at + timedelta(seconds=round(world.rng.uniform(-jitter, jitter), 2)), "GET", path, size)
            at += timedelta(seconds=period)

    world = company(1001).background()
    agent = world.caller("sales-02")
    beats(world, agent, world.at(8, 8, 3), world.at(8, 21), 300, 3, "/prices", 6_000, world.attack)
    save("cadence", "attack", "every_five_minutes_into_the_night", world, "canonical", "sales-02", until=60)

    world = company(1002).background()
    clerk = world.caller("stock-01")
    beats(world, clerk, world.at(8, 7, 1), world.at(8, 18), 30, 0.2, "/shipments", 900, world.attack)
    save("cadence", "attack", "twice_a_minute", world, "kong", "stock-01", until=60)

    world = company(1003).background()
    clerk = world.caller("fin-02")  # its gaps vary by a tenth, and its own calls are among them
    beats(world, clerk, world.at(8, 7, 2), world.at(8, 18, 40), 240, 6, f"/invoices/{clerk.mine[0]}", 2_000,
          world.attack)
    save("cadence", "attack", "with_jitter_among_its_own", world, "generic", "fin-02", until=60)

    world = company(1011)
    monitor = world.add("monitor", [("GET", "/health", 1, 40)], 0.0)
    world.background(lambda caller, hour: caller is monitor)
    for day in range(world.days):  # a clock all its life; on the last day its period is another one
        beats(world, monitor, world.at(day, 7), world.at(day, 18), 60 if day < 8 else 150, 0.2, "/health", 40,
              world.call)
    save("cadence", "benign", "the_monitor_changes_its_period", world, "canonical")

    world = company(1012).background()
    busy = world.caller("support-02")
    for hour in range(7, 18):  # four times as many calls as on other days, and none of them on the beat
        world.sitting(busy, world.at(8, hour), factor=4.0)
        world.sitting(busy, world.at(8, hour, 25), factor=4.0)
    save("cadence", "benign", "a_busy_day_without_a_beat", world, "kong")

    world = company(1013).background()
    watcher = world.caller("sales-03")  # a page that refreshes itself is left open over lunch
    beats(world, watcher, world.at(8, 11, 30), world.at(8, 14, 10), 60, 0.5, "/orders", 12_000, world.call)
    save("cadence", "benign", "a_page_left_open_over_lunch", world, "generic")

    world = company(1014)
    job = world.add("new-job", [("GET", "/orders", 1, 9_000)], 0.0)
    world.background(lambda caller, hour: caller is job)
    for day in range(6, world.days):  # nobody is told of a job for being a job
        beats(world, job, world.at(day, 7), world.at(day, 18), 120, 0.3, "/orders", 9_000, world.call)
    save("cadence", "benign", "a_job_is_born", world, "canonical")


def cadence_real(logs, keep):
    site = read(logs / "secrepo.log.gz")
    at = datetime(2015, 1, 26, 3, 0, 20, tzinfo=timezone.utc)
    add(keep, "cadence", "real_small_site_beacon", site,
        [line_of(VISITOR, at + timedelta(seconds=400 * number + number * number % 7), "GET /self.logs/index.html",
                 200, 4_117) for number in range(160)], VISITOR)
    keep("cadence", "benign", "real_small_site_as_it_is", [(line, False) for line in site])


def make(logs, save, keep):
    cadence(save)
    cadence_real(logs, keep)
