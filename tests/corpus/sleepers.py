"""Cases of dormant: who comes back after a long silence, and who is new, with bad intentions and without."""

from datetime import datetime, timedelta, timezone

from world import ROLES, World

WORDS = ["accounts", "alerts", "audits", "banners", "batches", "branches", "budgets", "carriers", "catalogues",
         "claims", "contracts", "coupons", "courses", "devices", "discounts", "drafts", "events", "filters", "forms",
         "gifts", "holidays", "images", "journals", "labels", "leads", "limits", "menus", "notes", "offers", "pages",
         "parcels", "plans", "quotes", "ratings", "refunds", "regions", "returns", "rules", "surveys", "teams"]

MIDNIGHT = World(0, days=0).at(0, 0)


def long_log(seed, days, per_role=3, skip=lambda caller, hour: False):
    """Weeks of a small company, and somebody who administers it."""
    world = World(seed, days=days, per_role=per_role, rate=1.6)
    world.add("admin-01", [("POST", "/admin/users/{n}/roles", 1, 300), ("GET", "/orders", 3, 9_000),
                           ("GET", "/payroll/export", 1, 60_000)], 1.6)
    return world.background(skip, share=0.5)


def works(world, caller, days, share=1.0, count=2):
    """A program that does its work in every hour of some days, or nearly."""
    for hour in world.hours():
        if (hour - world.at(0, 0)).days in days and world.rng.random() < share:
            for number in range(count):
                world.call(caller, hour + timedelta(seconds=300 + 97 * number), *world.pick(caller), status=200)


def make(save):
    world = long_log(1201, 36, per_role=7)
    key = world.add("svc-old", ROLES["sales"][:3], 0.0)
    works(world, key, range(8))
    at = world.at(35, 11, 20)  # silent for four weeks, and then it administers
    for number in range(3):
        world.attack(key, at + timedelta(seconds=15 * number), "POST", f"/admin/users/{4000 + number}/roles", 300)
    save("dormant", "attack", "an_old_key_administers", world, "kong", "svc-old", until=60)

    world = long_log(1202, 22)
    job = world.add("label-printer", ROLES["stock"][:1], 0.0)
    works(world, job, range(6))
    at = world.at(21, 14, 5)
    for number in range(45):
        world.attack(job, at + timedelta(seconds=6 * number), "PUT", f"/stock/{2000 + 7 * number}", 200)
    save("dormant", "attack", "a_forgotten_program_overwrites", world, "canonical", "label-printer", until=60)

    world = long_log(1203, 38)
    leaver = world.add("support-09", ROLES["support"], 0.0)
    works(world, leaver, range(9), share=0.6)
    back = world.at(37, 9, 2)  # looks around in the first hour, and closes what there is in the second
    for number in range(2):
        world.attack(leaver, back + timedelta(minutes=20 * number), "GET", f"/tickets/{leaver.mine[number]}", 2_500)
    for number in range(30):
        world.attack(leaver, back + timedelta(minutes=70, seconds=31 * number), "PATCH", f"/tickets/{3000 + number}",
                     300)
    save("dormant", "attack", "a_leaver_closes_tickets_in_the_second_hour", world, "generic", "support-09", until=60)

    world = World(1204, days=8, rate=4.0)
    for caller in world.callers:  # everybody has a few corners of his own
        caller.role = caller.role + [("GET", f"/{word}", 1, 2_000) for word in world.rng.sample(WORDS, 4)]
    world.background()
    at, new = world.at(6, 10, 3), world.add("partner-77", ROLES["sales"], 0.0)
    for number, word in enumerate(WORDS):
        world.attack(new, at + timedelta(seconds=31 * number), "GET", f"/{word}", 2_000)
    save("dormant", "attack", "a_newcomer_goes_everywhere", world, "kong", "partner-77", until=60)

    def is_away(who, days):
        return lambda caller, hour: caller.name in who and (hour - MIDNIGHT).days in days

    world = long_log(1211, 40, skip=is_away({"sales-02"}, range(5, 38)))
    save("dormant", "benign", "back_from_five_weeks_of_leave", world, "kong")

    world = long_log(1212, 40, skip=is_away({"admin-01"}, range(5, 38)))
    save("dormant", "benign", "the_administrator_is_back", world, "generic")

    world = long_log(1213, 38)
    job = world.add("payroll-run", [("GET", "/payroll/export", 1, 60_000)], 0.0)
    for day in range(1, 38, 9):  # exports and writes for two hours of every ninth day, and is silent between
        for number in range(16):
            at = world.at(day, 10, 5) + timedelta(minutes=6 * number)
            world.call(job, at, *[("GET", "/payroll/export", 60_000), ("POST", "/payments", 250)][number % 2], status=200)
    save("dormant", "benign", "the_job_of_every_ninth_day", world, "canonical")

    everyone = {caller.name for caller in World(0, per_role=3).callers} | {"admin-01"}
    world = long_log(1214, 48, skip=is_away(everyone, range(5, 41)))
    for index, caller in enumerate(world.callers):  # the log was off, not its callers
        world.call(caller, world.at(41, 9) + timedelta(seconds=50 * index), "POST",
                   f"/admin/users/{caller.mine[0]}/roles", 300, status=200)
    save("dormant", "benign", "five_weeks_without_a_log", world, "kong")

    world = World(1215, days=8, rate=4.0)
    for caller in world.callers:
        caller.role = caller.role + [("GET", f"/{word}", 1, 2_000) for word in world.rng.sample(WORDS, 4)]
    world.background()
    new = world.add("sales-10", world.caller("sales-05").role, 0.0)
    for hour in range(8, 17):  # as busy as one can be, and like its peers
        for number in range(25):
            world.call(new, world.at(6, hour) + timedelta(seconds=130 * number), *world.pick(new))
    save("dormant", "benign", "a_newcomer_like_its_peers", world, "generic")




def make_real(real, logs, keep):
    """On the lines of a public site: a reader's real lines under an account, which comes back a week later."""
    site = real.read(logs / "secrepo.log.gz")
    begin = real.time_of(site[0])
    login, address = "archivist", "192.0.2.77"

    def under_account(line, at):
        rest = real.LINE.match(line)[5]
        return f"{address} - {login} [{real.stamp(at)}] {rest}"

    pages = [line for line in site if '" 200 ' in line and '"GET ' in line][:40]
    own = [under_account(line, begin + timedelta(minutes=50 * number)) for number, line in enumerate(pages)]
    base = real.splice(site, own)
    base = [line for line, _ in base]
    at = real.time_of(site[-1]) - timedelta(hours=5)
    more = [f'{address} - {login} [{real.stamp(at + timedelta(seconds=11 * number))}] '
            f'"DELETE /files/reports/{1000 + number} HTTP/1.1" 204 0 "-" "Mozilla/5.0 (X11; Linux x86_64)"'
            for number in range(40)]
    spliced = real.splice(base, more)
    iso = "%Y-%m-%dT%H:%M:%S.000Z"
    keep("dormant", "attack", "real_small_site_an_account_comes_back", spliced, principal=login,
         marker=f"{address} ", earliest=(at - timedelta(seconds=1)).strftime(iso),
         latest=(at + timedelta(hours=1)).strftime(iso))
    quiet = [under_account(line, at + timedelta(minutes=3 * number)) for number, line in enumerate(pages[:12])]
    keep("dormant", "benign", "real_small_site_an_account_reads_again",
         [(line, False) for line, _ in real.splice(base, quiet)])
    keep("dormant", "benign", "real_small_site_as_it_is", [(line, False) for line in site])
