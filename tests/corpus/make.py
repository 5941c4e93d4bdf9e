"""Writes every file of the corpora and their index, `expect.toml`: python3 make.py LOGS_DIR

LOGS_DIR holds apache_semicomplete.log.gz and secrepo.log.gz, the real logs that some cases are built on
(see README.md). The same input gives the same bytes. Python's standard library is all it needs.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path

import injection
import networks
from world import FORMATS, ROLES, World, iso, write_gz

HERE = Path(__file__).parent
INDEX = []


def keep(detector, kind, name, lines, **expected):
    """Writes a case; `lines` are (text, is an attack line), `expected` says what must be found."""
    suffix = "ndjson" if lines[0][0].startswith("{") else "log"
    path = f"{detector}/{kind}/{name}.{suffix}.gz"
    write_gz(HERE / path, [text for text, _ in lines])
    case = {"file": path, "detector": detector, **expected}
    marked = [number for number, (_, attack) in enumerate(lines, 1) if attack]
    if kind == "attack":
        case |= {"first_line": marked[0], "last_line": marked[-1]}
    INDEX.append(case)


def save(detector, kind, name, world, form, who=None, until=None, marker=None):
    """Writes a world; the finding must come between the first attack call and `until` minutes after
    the last one."""
    write = FORMATS[form][0]
    calls = sorted(world.calls, key=lambda call: call["at"])
    lines = [(write(call), call["attack"]) for call in calls]
    if kind == "benign":
        return keep(detector, kind, name, lines)
    at = [call["at"] for call in calls if call["attack"]]
    keep(detector, kind, name, lines, principal=who, marker=marker or who,
         earliest=iso(at[0] - timedelta(seconds=1)), latest=iso(at[-1] + timedelta(minutes=until or 5)))


# --- object_enumeration -----------------------------------------------------------------------------


def object_enumeration():
    world = World(101).background()
    at, thief = world.at(2, 10, 12), world.caller("sales-04")
    for number in range(400):
        world.attack(thief, at + timedelta(seconds=1.4 * number), "GET", f"/orders/{4000 + number}", 1500)
    save("object_enumeration", "attack", "consecutive_orders", world, "canonical", "sales-04")

    world = World(102).background()
    at, thief = world.at(2, 14, 3), world.caller("fin-07")
    for number in range(160):
        world.attack(thief, at + timedelta(seconds=19 * number), "GET",
                     f"/invoices/{world.rng.randrange(1000, 99_999)}", 2000)
    save("object_enumeration", "attack", "scattered_invoices", world, "kong", "fin-07")

    world = World(103).background()
    at, thief = world.at(1, 9, 31), world.caller("support-02")
    for number in range(220):
        world.attack(thief, at + timedelta(seconds=2.1 * number), "GET",
                     f"/customers/{2000 + 3 * number}", 900)
    save("object_enumeration", "attack", "every_third_customer", world, "generic", "support-02")

    world = World(111).background()
    at, poller = world.at(2, 10, 12), world.caller("sales-04")
    for number in range(400):  # as many calls as the sweep, and all of them to five orders
        world.call(poller, at + timedelta(seconds=1.4 * number), "GET",
                   f"/orders/{poller.mine[number % 5]}", 1500)
    save("object_enumeration", "benign", "polling_five_orders", world, "canonical")

    world = World(112)
    sync = world.add("sync-job", [("GET", "/orders/{n}", 1, 1500)], 0.0)
    world.background(lambda caller, hour: caller is sync)
    for hour in world.hours():  # the same sweep as an attack's, every hour since ever
        count = round(world.rng.gauss(70, 6))
        for number in range(count):
            world.call(sync, hour + timedelta(seconds=40 + 8 * number), "GET",
                       f"/orders/{world.rng.randrange(1000, 99_999)}", 1500)
    save("object_enumeration", "benign", "hourly_synchronisation", world, "generic")

    world = World(113).background()
    at, reader = world.at(2, 14, 3), world.caller("fin-07")
    for page in range(250):
        world.call(reader, at + timedelta(seconds=9 * page), "GET", f"/invoices?page={page + 1}", 11_000)
    save("object_enumeration", "benign", "paging_through_a_list", world, "kong")


# --- egress_spike -----------------------------------------------------------------------------------


def egress_spike():
    world = World(201).background()
    at, thief = world.at(2, 11, 20), world.caller("fin-03")
    for number in range(12):
        world.attack(thief, at + timedelta(seconds=20 * number), "GET", "/reports/monthly", 180_000_000)
    save("egress_spike", "attack", "two_gigabytes_in_four_minutes", world, "kong", "fin-03")

    world = World(202).background()
    at, thief = world.at(2, 15, 5), world.caller("sales-06")
    for number in range(90):
        world.attack(thief, at + timedelta(seconds=33 * number), "GET", "/orders", 1_600_000)
    save("egress_spike", "attack", "long_lists_for_an_hour", world, "canonical", "sales-06")

    world = World(203).background()
    at, thief = world.at(2, 16, 40), world.caller("support-05")
    for number in range(25):
        world.attack(thief, at + timedelta(seconds=11 * number), "GET", "/tickets", 30_000_000)
    save("egress_spike", "attack", "ticket_dump", world, "nginx", "support-05")

    world = World(211)
    backup = world.add("backup", [("GET", "/orders", 1, 1)], 0.0)
    world.background(lambda caller, hour: caller is backup)
    for hour in world.hours():  # as much as the thief takes, every hour
        for number in range(12):
            world.call(backup, hour + timedelta(seconds=90 + 20 * number), "GET", "/orders", 180_000_000,
                       status=200)
    save("egress_spike", "benign", "hourly_backup", world, "kong")

    world = World(212).background()
    at, busy = world.at(2, 15, 5), world.caller("sales-06")
    for number in range(120):  # many calls, little in each
        world.call(busy, at + timedelta(seconds=25 * number), "GET", f"/orders/{busy.mine[number % 9]}", 300)
    save("egress_spike", "benign", "many_small_answers", world, "canonical")

    world = World(213).background()
    at, giver = world.at(1, 16, 40), world.caller("support-05")
    for number in range(25):  # the bytes go in, not out
        world.call(giver, at + timedelta(seconds=11 * number), "POST", f"/tickets/{giver.mine[0]}/replies",
                   300, **{"in": 30_000_000})
    save("egress_spike", "benign", "large_uploads", world, "generic")


# --- first_seen_endpoint ----------------------------------------------------------------------------


def first_seen_endpoint():
    for seed, name, who, form, method, path in [
        (301, "grants_itself_a_role", "fin-job", "kong", "POST", "/admin/users/{n}/roles"),
        (302, "exports_the_payroll", "stock-job", "canonical", "GET", "/payroll/export"),
        (303, "rotates_a_key", "support-job", "generic", "POST", "/admin/keys/{n}/rotate"),
    ]:
        world = World(seed, per_role=12, rate=4.5)
        admin = world.add("admin-01", [("POST", "/admin/users/{n}/roles", 1, 300), ("GET", "/orders", 6, 9000),
                                       ("GET", "/payroll/export", 2, 60_000),
                                       ("POST", "/admin/keys/{n}/rotate", 1, 200)], 6.0)
        job = world.add(who, ROLES[who.split("-")[0]][:2], 0.0)
        world.background(lambda caller, hour: caller is job)
        for hour in world.hours():  # a job that did the same two things all its life
            for number in range(60):
                world.call(job, hour + timedelta(seconds=90 + 50 * number), *world.pick(job), status=200)
        at = world.at(2, 13)
        for number in range(3):
            world.attack(job, at + timedelta(seconds=10 + 15 * number), method,
                         path.replace("{n}", str(admin.mine[number])), 400)
        save("first_seen_endpoint", "attack", name, world, form, who, until=60)

    world = World(311, days=3).background(share=0.7)
    deploy = world.at(2, 12)
    for caller in world.callers:  # a deploy: everybody begins to use what is new
        at = deploy + timedelta(minutes=world.rng.uniform(1, 170))
        for number in range(4):
            world.call(caller, at + timedelta(seconds=31 * number), "GET", "/v2/notifications", 700)
    save("first_seen_endpoint", "benign", "a_deploy_that_all_use", world, "kong")

    world = World(312, days=3).background(share=0.7)
    at, late = world.at(2, 13, 2), world.caller("fin-05")
    for number in range(3):  # new to it, usual among others
        world.call(late, at + timedelta(seconds=50 * number), "GET", f"/customers/{late.mine[number]}", 900)
    save("first_seen_endpoint", "benign", "what_many_peers_use", world, "canonical")

    world = World(313)
    admin = world.add("admin-01", [("POST", "/admin/users/{n}/roles", 1, 300)], 4.0)
    world.background(share=0.65)
    at, curious = world.at(2, 13, 2), world.caller("support-08")
    for number in range(3):  # tried and refused
        world.call(curious, at + timedelta(seconds=50 * number), "POST",
                   f"/admin/users/{admin.mine[number]}/roles", 300, status=403)
    save("first_seen_endpoint", "benign", "refused_at_the_door", world, "generic")


# --- auth_failures ----------------------------------------------------------------------------------


def login(world, ip, at, who=None, status=401, attack=True, form_ua="python-requests/2.32.3"):
    world.calls.append({"at": at, "who": who, "ip": ip, "ua": form_ua, "method": "POST", "path": "/login",
                        "status": status, "out": 90, "in": 120, "ms": 60, "attack": attack})


def everyday_logins(world):
    """Everybody logs in each morning, and now and then mistypes."""
    for day in range(world.days):
        for caller in world.callers:
            at = world.at(day, 7) + timedelta(seconds=world.rng.uniform(0, 7_000))
            while world.rng.random() < 0.12:
                login(world, caller.ip, at, caller.name, 401, False, caller.ua)
                at += timedelta(seconds=9)
            login(world, caller.ip, at, caller.name, 200, False, caller.ua)
    return world


def auth_failures():
    world = everyday_logins(World(401).background())
    for number in range(260):  # one password for every name
        login(world, "203.0.113.77", world.at(2, 12, 4) + timedelta(seconds=1.1 * number), f"user{number:03}")
    save("auth_failures", "attack", "password_spraying", world, "nginx", "203.0.113.77")

    world = everyday_logins(World(402).background())
    for number in range(120):  # many passwords for one name, and then the right one
        login(world, "198.51.100.23", world.at(2, 9, 30) + timedelta(seconds=4 * number), "fin-02")
    login(world, "198.51.100.23", world.at(2, 9, 30) + timedelta(seconds=485), "fin-02", 200)
    save("auth_failures", "attack", "guessed_at_last", world, "canonical", "198.51.100.23")

    world = everyday_logins(World(403).background())
    for number in range(55):  # slow: one try a minute
        login(world, "203.0.113.141", world.at(1, 15, 2) + timedelta(seconds=63 * number))
    save("auth_failures", "attack", "once_a_minute", world, "kong", "203.0.113.141")

    world = everyday_logins(World(411).background())
    at = world.at(2, 12, 4)
    for index, caller in enumerate(world.callers):  # all sessions end at once: one failure each
        login(world, caller.ip, at + timedelta(seconds=7 * index), caller.name, 401, False, caller.ua)
        login(world, caller.ip, at + timedelta(seconds=7 * index + 5), caller.name, 200, False, caller.ua)
    save("auth_failures", "benign", "all_sessions_expire", world, "nginx")

    world = everyday_logins(World(412).background())
    for hour in world.hours():  # a device whose password was changed, and nobody told it
        for number in range(30):
            login(world, "10.20.9.9", hour + timedelta(seconds=115 * number + 20), "scanner-9", 401, False)
    save("auth_failures", "benign", "the_forgotten_device", world, "canonical")

    world = everyday_logins(World(413).background())
    at, asker = world.at(1, 15, 2), world.caller("stock-03")
    for number in range(80):  # refused for want of a right, not of a password
        world.call(asker, at + timedelta(seconds=30 * number), "GET", "/reports/monthly", 200, status=403)
    save("auth_failures", "benign", "forbidden_is_not_unauthenticated", world, "kong")


# --- denied_probing ---------------------------------------------------------------------------------

NOUNS = ["users", "keys", "roles", "billing", "audit", "backups", "hooks", "secrets", "tenants", "tokens",
         "jobs", "queues", "exports", "limits", "plans", "regions", "policies", "schemas", "topics", "flags"]


def denied_probing():
    world = World(501).background()
    at, agent = world.at(2, 13, 20), world.add("crm-helper", world.caller("sales-01").role, 8.0)
    world.callers.remove(agent)
    for hour in world.hours():
        if world.rng.random() < 0.7:
            world.sitting(agent, hour)
    for number in range(40):
        world.attack(agent, at + timedelta(seconds=9 * number), ["GET", "PUT"][number % 2],
                     f"/admin/{NOUNS[number % 20]}", 150, status=403)
    save("denied_probing", "attack", "forty_doors_in_six_minutes", world, "kong", "crm-helper")

    world = World(502).background()
    at, prober = world.at(2, 10, 1), world.caller("stock-06")
    for number in range(60):
        world.attack(prober, at + timedelta(seconds=2 * number), "GET",
                     f"/internal/{NOUNS[number % 20]}/{['list', 'all', 'dump'][number // 20]}", 150, status=404)
    save("denied_probing", "attack", "guessed_paths", world, "generic", "stock-06")

    world = World(503).background()
    at, prober = world.at(1, 16, 3), world.caller("support-04")
    for number in range(28):  # a try every two minutes, and one door opens
        world.attack(prober, at + timedelta(seconds=110 * number), "DELETE", f"/{NOUNS[number % 20]}"
                     + ("/archive" if number > 19 else ""), 150, status=[403, 404][number % 3 == 0])
    world.attack(prober, at + timedelta(seconds=110 * 28), "DELETE", "/sessions", 150)
    save("denied_probing", "attack", "slow_until_one_opens", world, "canonical", "support-04")

    world = World(511).background()
    at, broken = world.at(2, 13, 20), world.caller("sales-02")
    for number in range(120):  # many refusals, one operation
        world.call(broken, at + timedelta(seconds=9 * number), "GET", "/prices/old", 150, status=404)
    save("denied_probing", "benign", "one_dead_link", world, "kong")

    world = World(512)
    checker = world.add("link-checker", [("GET", "/health", 1, 40)], 0.0)
    world.background(lambda caller, hour: caller is checker)
    for hour in world.hours():  # looks for dead links each hour, and finds them
        for number in range(20):
            world.call(checker, hour + timedelta(seconds=60 + 20 * number), "GET", f"/docs/{NOUNS[number]}",
                       900, status=404 if number < 16 else 200)
    save("denied_probing", "benign", "the_link_checker", world, "generic")

    world = World(513).background()
    at = world.at(1, 16)
    for caller in world.callers:  # a deploy took three operations away from everybody
        for number, path in enumerate(["/v1/search", "/v1/suggest", "/v1/banner"]):
            world.call(caller, at + timedelta(minutes=world.rng.uniform(0, 59)), "GET", path, 90, status=404)
    save("denied_probing", "benign", "a_deploy_took_three_away", world, "canonical")


# --- machine_speed ----------------------------------------------------------------------------------


def machine_speed():
    for seed, name, who, form, count, gap in [
        (601, "a_thousand_in_a_minute", "sales-08", "canonical", 1_000, 0.06),
        (602, "two_hundred_in_ten_seconds", "stock-05", "kong", 200, 0.05),
        (603, "one_a_second_for_ten_minutes", "fin-01", "nginx", 600, 1.0),
    ]:
        world = World(seed).background()
        at, racer = world.at(2, 11, 10), world.caller(who)
        for number in range(count):
            method, path, size = world.pick(racer, [racer.role[0]])
            world.attack(racer, at + timedelta(seconds=gap * number), "GET",
                         path.replace("{n}", str(racer.mine[0])), size)
        save("machine_speed", "attack", name, world, form, who)

    world = World(611)
    batch = world.add("nightly-batch", [("GET", "/stock/{n}", 1, 500)], 0.0)
    world.background(lambda caller, hour: caller is batch)
    for hour in world.hours():  # a machine's speed, every hour since ever
        for number in range(120):
            world.call(batch, hour + timedelta(seconds=300 + world.rng.uniform(0.3, 0.5) * number), "GET",
                       f"/stock/{batch.mine[number % 12]}", 500)
    save("machine_speed", "benign", "the_hourly_batch", world, "canonical")

    world = World(612).background()
    at, surfer = world.at(2, 11, 10), world.caller("stock-05")
    for number in range(24):  # a page and its two dozen parts
        world.call(surfer, at + timedelta(seconds=0.1 * number), "GET", f"/assets/{NOUNS[number % 20]}.js", 9000)
    save("machine_speed", "benign", "a_page_with_its_parts", world, "kong")

    world = World(613).background()
    for hour in (world.at(2, 11), world.at(2, 12)):  # a sale begins: everybody is busier
        for caller in world.callers:
            world.sitting(caller, hour, factor=2.0)
    save("machine_speed", "benign", "everybody_is_busier", world, "nginx")


# --- not_itself -------------------------------------------------------------------------------------


def not_itself():
    for seed, name, victim, other, form in [
        (701, "warehouse_key_reads_invoices", "stock-04", "fin-02", "kong"),
        (702, "support_account_sells", "support-01", "sales-05", "canonical"),
        (703, "finance_token_does_tickets", "fin-08", "support-06", "generic"),
    ]:
        world = World(seed)
        victim, other = world.caller(victim), world.caller(other)
        victim.rate = other.rate = 12.0
        stolen = [world.at(2, 14), world.at(2, 15)]
        world.background(lambda caller, hour: caller is victim and hour in stolen, share=0.65)
        for hour in stolen:
            for number in range(110):
                at = hour + timedelta(seconds=120 + 29 * number)
                method, path, size = world.pick(other)
                world.attack(victim, at, method, path, size)
        save("not_itself", "attack", name, world, form, victim.name, until=30)

    world = World(711)
    busy = world.caller("stock-04")
    world.background(share=0.65)
    for number in range(220):  # twice a thief's calls, and all its own
        at = world.at(2, 14) + timedelta(seconds=120 + 15 * number)
        world.call(busy, at, *world.pick(busy))
    save("not_itself", "benign", "a_busy_day_of_its_own", world, "kong")

    world = World(712)
    both = world.add("floater", world.caller("support-01").role + world.caller("sales-05").role, 14.0)
    world.background(lambda caller, hour: caller is both, share=0.65)
    for index, hour in enumerate(world.hours()):  # one role in one hour, another in the next
        role = world.caller("support-01" if index % 2 else "sales-05").role
        for number in range(30 if index < 30 else 110):
            at = hour + timedelta(seconds=60 + 30 * number)
            world.call(both, at, *world.pick(both, role))
    save("not_itself", "benign", "two_roles_by_habit", world, "canonical")

    world = World(713)
    world.background(share=0.65)
    newborn = world.add("sales-10", world.caller("sales-05").role, 12.0)
    for hour in (world.at(2, 14), world.at(2, 15)):  # new here, and like its peers
        for number in range(110):
            world.call(newborn, hour + timedelta(seconds=120 + 29 * number), *world.pick(newborn))
    save("not_itself", "benign", "a_newcomer_like_its_peers", world, "generic")


# --- joint_outlier ----------------------------------------------------------------------------------


def watched(seed):
    """Everybody, and a monitor that never sleeps: models are fitted at night too."""
    world = World(seed)
    monitor = world.add("monitor", [("GET", "/health", 1, 40)], 0.0)
    for minutes in range(0, world.days * 24 * 60, 15):
        world.call(monitor, world.at(0, 0, second=1.5) + timedelta(minutes=minutes), "GET", "/health", 40, 200)
    return world.background(lambda caller, hour: caller is monitor, share=0.7)


def joint_outlier():
    for seed, name, who, form, extra in [
        (801, "many_networks_many_errors", "sales-03", "kong", {"status": [500, 200, 409]}),
        (802, "uploads_from_everywhere", "fin-06", "canonical", {"status": [200, 413, 500], "ms": 4_000}),
        (803, "slow_and_failing", "support-03", "generic", {"status": [503, 504, 200], "ms": 9_000}),
    ]:
        world = watched(seed)
        actor = world.caller(who)
        writes = [it for it in actor.role if it[0] == "POST"]
        for number in range(26):
            more = {key: value for key, value in extra.items() if key != "status"}
            at = world.at(2, 13, 1) + timedelta(seconds=130 * number)
            world.attack(actor, at, *world.pick(actor, writes), status=extra["status"][number % 3],
                         ip=f"192.0.2.{number}" if number % 2 else f"198.51.{number}.9",
                         ua=f"client/{number}.0", **more, **{"in": 90_000})
        save("joint_outlier", "attack", name, world, form, who, until=60)

    world = watched(811)
    actor = world.caller("sales-03")
    for number in range(26):  # more calls than usual, and nothing else
        world.call(actor, world.at(2, 13, 1) + timedelta(seconds=130 * number), *world.pick(actor))
    save("joint_outlier", "benign", "only_more_of_the_same", world, "kong")

    world = watched(812)
    odd = world.add("kiosk", [("POST", "/orders", 1, 400)], 0.0)
    for hour in world.hours():  # writes and nothing else, from four tills, every hour
        for number in range(14):
            world.call(odd, hour + timedelta(seconds=60 + 200 * number), "POST", "/orders", 400,
                       status=409 if number == 9 else 200, ua=f"till/{number % 4}.0")
    save("joint_outlier", "benign", "a_kiosk_that_only_writes", world, "canonical")

    world = watched(813)
    traveller = world.caller("support-03")
    for number in range(26):  # from a train: other networks, ordinary calls
        world.call(traveller, world.at(2, 13, 1) + timedelta(seconds=130 * number), *world.pick(traveller),
                   ip=f"192.0.2.{number // 9}")
    save("joint_outlier", "benign", "working_from_a_train", world, "generic")


# --- write_burst ------------------------------------------------------------------------------------


def write_burst():
    world = World(901).background()
    at, agent = world.at(2, 10, 40), world.caller("sales-03")
    for number in range(120):
        world.attack(agent, at + timedelta(seconds=1.6 * number), "DELETE", f"/orders/{4000 + number}", 90)
    save("write_burst", "attack", "orders_deleted_in_three_minutes", world, "canonical", "sales-03")

    world = World(902).background()
    at, clerk = world.at(2, 13, 5), world.caller("stock-02")
    for number in range(150):
        world.attack(clerk, at + timedelta(seconds=7 * number), "PUT",
                     f"/stock/{world.rng.randrange(1000, 99_999)}", 200)
    save("write_burst", "attack", "stock_levels_overwritten", world, "kong", "stock-02")

    world = World(903).background()
    at, clerk = world.at(1, 15, 2), world.caller("support-07")
    for number in range(60):
        world.attack(clerk, at + timedelta(seconds=55 * number), "PATCH", f"/tickets/{7000 + 11 * number}", 300)
    save("write_burst", "attack", "tickets_closed_for_an_hour", world, "generic", "support-07")

    world = World(911)
    job = world.add("stock-count", [("PUT", "/stock/{n}", 1, 200)], 0.0)
    world.background(lambda caller, hour: caller is job)
    for hour in world.hours():  # overwrites as much as the attack, every hour since ever
        for number in range(round(world.rng.gauss(90, 7))):
            world.call(job, hour + timedelta(seconds=30 + 9 * number), "PUT",
                       f"/stock/{world.rng.randrange(1000, 99_999)}", 200)
    save("write_burst", "benign", "the_hourly_stock_count", world, "kong")

    world = World(912).background()
    at, editor = world.at(2, 10, 40), world.caller("support-01")
    for number in range(120):  # as many changes, all of them to two tickets
        world.call(editor, at + timedelta(seconds=20 * number), "PATCH",
                   f"/tickets/{editor.mine[number % 2]}", 300)
    save("write_burst", "benign", "two_tickets_edited_for_long", world, "generic")

    world = World(913).background()
    at, clerk = world.at(2, 14, 10), world.caller("fin-02")
    for number in range(80):  # none of them was deleted
        world.call(clerk, at + timedelta(seconds=25 * number), "DELETE", f"/invoices/{4000 + number}", 120,
                   status=403)
    save("write_burst", "benign", "deletions_that_are_refused", world, "canonical")


def main():
    logs = Path(sys.argv[1])
    for make in (object_enumeration, egress_spike, first_seen_endpoint, auth_failures, denied_probing,
                 machine_speed, not_itself, joint_outlier, write_burst):
        make()
    import agents
    import days
    import flows
    import delegates
    import drift
    import graph
    import harvest
    import leaks
    import newcomers
    import owners
    import real
    import sleepers
    import together
    import watched

    agents.runaway_loop(keep)
    delegates.make(save)
    drift.make(save)
    graph.make(save)
    harvest.make(save)
    injection.make(save)
    networks.make(save)
    newcomers.make(save)
    sleepers.make(save)
    together.make(save)
    watched.make(save)
    owners.make(save)
    leaks.make(save)
    flows.sequence(keep)
    real.make(logs, keep)
    harvest.make_real(real, logs, keep)
    days.make(logs, save, keep)
    delegates.make_real(real, logs, keep)
    drift.make_real(real, logs, keep)
    graph.make_real(real, logs, keep)
    sleepers.make_real(real, logs, keep)
    watched.make_real(real, logs, keep)
    owners.make_real(real, logs, keep)
    leaks.make_real(real, logs, keep)
    newcomers.make_real(real, logs, keep)
    together.make_real(real, logs, keep)
    with open(HERE / "expect.toml", "w", encoding="utf-8") as out:
        out.write("# Written by make.py: what each case must, or must not, make the detectors say.\n")
        for case in sorted(INDEX, key=lambda case: case["file"]):
            out.write("\n[[case]]\n")
            for key, value in case.items():
                out.write(f"{key} = {json.dumps(value)}\n")


if __name__ == "__main__":
    main()
