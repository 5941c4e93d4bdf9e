"""Cases of detectors that look at whole days: more than a week each, of a smaller company."""

from collections import Counter
from datetime import datetime, timedelta, timezone

from real import FEED_READER, LINE, add, line_of, read, stamp, time_of
from world import START, World

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


def slow_drip(save):
    def company(seed, days=36):
        return World(seed, days=days, per_role=2, rate=4.0)

    world = company(1101).background()  # on top of its usual work, a few invoices of others each day
    clerk = world.caller("fin-01")
    for day in range(15, world.days):
        for number in range(14):
            at = world.at(day, 8, 10) + timedelta(minutes=38 * number, seconds=world.rng.randrange(900))
            world.attack(clerk, at, "GET", f"/invoices/{world.rng.randrange(10_000, 99_999)}", 2_000)
    save("slow_drip", "attack", "fourteen_foreign_invoices_a_day", world, "canonical", "fin-01")

    world = World(1102, days=80, per_role=2, rate=2.0)  # five percent more each day than on the day before, for 60 days
    job = world.add("svc-report", [("GET", "/reports/monthly", 1, 200_000)], 0.0)
    world.background(lambda caller, hour: caller is job)
    for day in range(world.days):
        reports(world, job, day, 20)
        usual = 200_000 * 20 * (0.4 if weekend(world, day) else 1.0)
        for number in range(5 if day >= 20 else 0):
            at = world.at(day, 9, 7) + timedelta(minutes=70 * number, seconds=world.rng.randrange(900))
            world.attack(job, at, "GET", "/reports/monthly", usual * (1.05 ** (day - 19) - 1) / 5)
    # It must be told before the twentieth of the sixty days.
    save("slow_drip", "attack", "five_percent_more_each_day", world, "kong", "svc-report", until=-41 * 1_440)

    world = company(1103).background()  # a job that always read new customers reads ever more of them
    job = world.add("svc-sync", [("GET", "/customers/{n}", 1, 900)], 0.0)
    known = 10_000
    for day in range(world.days):
        usual, more = 20 + world.rng.randrange(-5, 6), round(3 * 1.25 ** max(0, day - 20)) if day > 20 else 0
        for number in range(min(usual + more, 120)):
            kind = world.call if number < usual else world.attack
            kind(job, world.at(day, 8) + timedelta(minutes=5 * number), "GET", f"/customers/{known}", 900, 200)
            known += 1
    save("slow_drip", "attack", "ever_more_customers", world, "generic", "svc-sync")

    world = World(1104, days=44, per_role=2, rate=2.0)  # whoever reads two accounts each day reads those of others
    people = [world.add(f"customer-{index + 1:02}", [("GET", "/accounts/{n}", 3, 700), ("GET", "/prices", 1, 6_000)], 3.0)
              for index in range(6)]
    for customer in people:
        customer.mine = customer.mine[:2]
    for hour in world.hours():
        for caller in world.callers:
            if world.rng.random() < 0.3:
                own = [("GET", f"/accounts/{number}", 1, 700) for number in caller.mine]
                for _ in range(3 if caller in people else 0):
                    at = hour + timedelta(seconds=world.rng.randrange(3_500))
                    world.call(caller, at, *world.pick(caller, own + [("GET", "/prices", 1, 6_000)]))
                if caller not in people:
                    world.sitting(caller, hour)
    for day in range(14, world.days):
        for number in range(14):
            at = world.at(day, 8, 10) + timedelta(minutes=38 * number, seconds=world.rng.randrange(900))
            world.attack(people[2], at, "GET", f"/accounts/{20_000 + 14 * (day - 14) + number}", 700)
    save("slow_drip", "attack", "accounts_walked_fourteen_a_day", world, "generic", "customer-03")

    world = catalogue(company(1105, days=26), lambda day: 1.0)  # a key that takes more of what it always takes
    sync = world.caller("svc-catalogue")
    for day in range(14, world.days):
        for number in range(180):
            at = world.at(day, 7, 3) + timedelta(minutes=4.5 * number, seconds=world.rng.randrange(200))
            world.attack(sync, at, "GET", f"/products/{100 + world.rng.randrange(120)}", 700)
    save("slow_drip", "attack", "the_same_products_again_and_again", world, "kong", "svc-catalogue")

    world = company(1115, days=26)  # a campaign: all who read products read more of them from one day on
    for name in ("svc-shop", "svc-search", "svc-mail", "svc-feed", "svc-print", "svc-ads", "svc-app", "svc-map"):
        catalogue(world, lambda day: 1.6 if day >= 14 else 1.0, name)
    save("slow_drip", "benign", "a_campaign_of_products", world, "canonical")

    world = company(1111)  # business grows for everybody, by four percent a day
    for hour in world.hours():
        day = (hour - START).days
        for caller in world.callers:
            if world.rng.random() < 0.5:
                world.sitting(caller, hour, factor=1.04 ** max(0, day - 12))
    save("slow_drip", "benign", "a_business_that_grows", world, "canonical")

    world = World(1112, days=42, per_role=2, rate=4.0)  # no weekends, a week of holidays, a large last day of the month
    for hour in world.hours():
        if hour.weekday() >= 5 or 24 <= (hour - START).days < 31:
            continue
        for caller in world.callers:
            if world.rng.random() < 0.5:
                world.sitting(caller, hour, factor=3.0 if hour.day == 30 else 1.0)
    save("slow_drip", "benign", "weekends_holidays_and_the_last_of_the_month", world, "kong")

    world = company(1113).background()  # what a job reads is always new, and one day it reads all of it again
    job = world.add("svc-index", [("GET", "/tickets/{n}", 1, 900)], 0.0)
    for day in range(world.days):
        for number in range(40 + world.rng.randrange(-8, 9) + (80 if day == 25 else 0)):
            world.call(job, world.at(day, 8) + timedelta(minutes=4.5 * number), "GET",
                       f"/tickets/{10_000 + 100 * day + number}", 900, 200)
    save("slow_drip", "benign", "always_something_new", world, "generic")

    world = World(1114, days=90, per_role=2, rate=2.0)  # business of one service grows by six percent a month
    job = world.add("svc-report", [("GET", "/reports/monthly", 1, 200_000)], 0.0)
    world.background(lambda caller, hour: caller is job)
    for day in range(world.days):
        reports(world, job, day, 20, 1.06 ** (day / 30))
    save("slow_drip", "benign", "a_service_that_grows_slowly", world, "kong")


def catalogue(world, factor, name="svc-catalogue"):
    """A service that reads the same products day after day, and a few large reports."""
    job = world.add(name, [("GET", "/products/{n}", 1, 700)], 0.0)
    if name == "svc-catalogue":
        world.background(lambda caller, hour: caller is job)
    for day in range(world.days):
        reports(world, job, day, 20)
        count = round(300 * factor(day) * world.rng.lognormvariate(0, 0.03))
        for number in range(count):
            at = world.at(day, 7) + timedelta(minutes=800 / count * number, seconds=world.rng.randrange(120))
            world.call(job, at, "GET", f"/products/{100 + world.rng.randrange(120)}", 700, 200)
    return world


def weekend(world, day):
    return (START + timedelta(days=day)).weekday() >= 5


def reports(world, job, day, count, factor=1.0):
    """A service's day: so many reports, smaller ones on weekends, and days differ."""
    factor *= world.rng.lognormvariate(0, 0.12) * (0.4 if weekend(world, day) else 1.0)
    for number in range(count):
        at = world.at(day, 8) + timedelta(minutes=20 * number, seconds=world.rng.randrange(600))
        world.call(job, at, "GET", "/reports/monthly", 200_000 * factor, 200)


def slow_drip_real(logs, keep):
    whole = read(logs / "apache_semicomplete.log.gz")
    calls = Counter(line.split()[0] for line in whole)
    busiest = {who for who, _ in sorted(calls.items(), key=lambda it: (-it[1], it[0]))[:6]}
    once = [line for line in whole if line.split()[0] in busiest]
    site = sorted((line for copy in range(10) for line in moved_days(once, 4 * copy)), key=time_of)
    first, more = datetime(2015, 6, 9, tzinfo=timezone.utc), []
    for day in range(16):
        for number in range(10):
            at = first + timedelta(days=day, hours=3, minutes=97 * number, seconds=11 * day)
            more.append(line_of(FEED_READER, at, "GET /files/xdotool/docs/html/", 200,
                                round(150_000 * ((4 / 3) ** (day + 1) - 1))))
    add(keep, "slow_drip", "real_site_a_third_more_each_day", site, more, FEED_READER)
    keep("slow_drip", "benign", "real_site_ten_times_over", [(line, False) for line in site])


def moved_days(lines, days):
    """The same lines so many days later."""
    return [line.replace(LINE.match(line)[4], stamp(time_of(line) + timedelta(days=days)), 1) for line in lines]


def make(logs, save, keep):
    cadence(save)
    cadence_real(logs, keep)
    slow_drip(save)
    slow_drip_real(logs, keep)
