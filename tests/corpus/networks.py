"""Cases of `new_network`: credentials that turn up elsewhere, and people and services that move."""

import json
import re
from datetime import datetime, timedelta, timezone

import world
from world import World

THIEF = {"ip": "203.0.113.9", "ua": "curl/8.5.0"}


def keyed(call):
    """Canonical, with the id of the key that was used."""
    line = json.loads(world.canonical(call))
    return json.dumps(line | {"credential_id": call.get("key") or f'ak-{call["who"]}'}, separators=(",", ":"))


world.FORMATS["keyed"] = (keyed, "ndjson")


def fortnight(seed, name, ip=lambda caller, hour: caller.ip, **more):
    """Two weeks of a small company, one of whom is there every hour; `ip` says from where."""
    it = World(seed, days=14, per_role=16, rate=1.5)
    busy = it.caller(name)
    for hour in it.hours():
        for caller in it.callers:
            if caller is busy or it.rng.random() < 0.2:
                it.sitting(caller, hour, ip=ip(caller, hour), **more)
    return it, busy


def make(save):
    it, victim = fortnight(1101, "sales-03")
    at = it.at(12, 10, 5)
    for number in range(24):  # both use it, turn by turn
        it.call(victim, at + timedelta(seconds=100 * number), *it.pick(victim))
        it.attack(victim, at + timedelta(seconds=100 * number + 41), "GET", f"/orders/{4000 + number}", 1500, **THIEF)
    save("new_network", "attack", "a_key_copied_to_a_second_network", it, "keyed", "sales-03", marker=THIEF["ip"])

    it, victim = fortnight(1102, "fin-05")
    at = it.at(13, 14, 20)
    for number in range(30):  # nobody else is there
        it.attack(victim, at + timedelta(seconds=31 * number), *it.pick(victim), status=200, **THIEF)
    save("new_network", "attack", "a_token_used_from_elsewhere", it, "generic", "fin-05", marker=THIEF["ip"],
         until=60)

    it, victim = fortnight(1103, "stock-09")
    at = it.at(11, 9, 40)
    for number in range(12):
        it.call(victim, at + timedelta(seconds=80 * number), *it.pick(victim))
        it.attack(victim, at + timedelta(seconds=80 * number + 20), "GET", f"/stock/{1000 + number}", 500,
                  **THIEF | {"ua": "Go-http-client/2.0"})
    save("new_network", "attack", "two_at_once", it, "kong", "stock-09", marker=THIEF["ip"])

    def on_the_road(caller, hour):  # one network a day, and another on the train
        if caller.name != "sales-03":
            return caller.ip
        return f"198.51.{hour.day}.{hour.hour % 2 * 100 + 7}" if hour.hour % 5 else f"192.0.{hour.day}.7"

    it, _ = fortnight(1111, "sales-03", on_the_road)
    save("new_network", "benign", "a_seller_on_the_road", it, "keyed")

    def after_the_move(caller, hour):
        return f"203.0.113.{50 + hash_of(caller)}" if hour >= it_at(12, 7) else caller.ip

    it, _ = fortnight(1112, "support-02", after_the_move)
    save("new_network", "benign", "the_office_moves", it, "generic")

    def from_a_pool(caller, hour):
        return f"198.51.{(hour.day * 11 + hour.hour) * 7 % 9}.20" if caller.name == "stock-09" else caller.ip

    it, service = fortnight(1113, "stock-09", from_a_pool)
    for call in it.calls:  # and on the thirteenth day it has another key
        if call["who"] == service.name and call["at"] >= it.at(12, 7):
            call["key"] = "ak-stock-09-next"
    save("new_network", "benign", "a_pool_of_addresses_and_a_new_key", it, "keyed")

    def at_home(caller, hour):
        return "203.0.113.77" if caller.name == "fin-05" and hour >= it_at(12, 13) else caller.ip

    it, worker = fortnight(1114, "fin-05", at_home)
    for number in range(6):  # and looks something up on a telephone, with a browser that others have too
        it.call(worker, it.at(13, 12, 3) + timedelta(seconds=40 * number), *it.pick(worker), status=200,
                ip="192.0.2.66", ua="Mozilla/5.0 (iPhone) Safari/605.1.15")
    save("new_network", "benign", "from_home_and_by_telephone", it, "kong")

    def rented(caller, hour):  # a line whose addresses change within the provider's /48
        prefix = 1 if hour < it_at(9, 3) else hour.day
        return f"2001:db8:44:{prefix}::{hour.hour + 1:x}" if caller.name == "stock-09" else caller.ip

    it, tenant = fortnight(1115, "stock-09", rented)
    for call in it.calls:  # and on the day of the first change a new program, which others have too
        if call["who"] == tenant.name and call["at"] >= it.at(9, 3):
            call["ua"] = it.caller("stock-02").ua
    save("new_network", "benign", "an_ipv6_prefix_each_day", it, "kong")

    it, worker = fortnight(1116, "sales-03")
    for number in range(12):  # a tunnel is tried out, with the same browser
        it.call(worker, it.at(13, 10, 3) + timedelta(seconds=70 * number), *it.pick(worker), status=200,
                **({"ip": "192.0.2.66"} if number // 2 % 2 else {}))
    save("new_network", "benign", "a_tunnel_switched_on_and_off", it, "keyed")


def it_at(day, hour):
    return World(0, days=14, per_role=0).at(day, hour)


def hash_of(caller):
    return sum(caller.name.encode()) % 100


LINE = re.compile(r"(\S+) - - (\[[^\]]+\].*\"([^\"]*)\")$")


def named(line):
    """A real line with a user's name, which the site had not: a crawler's by its program, else by address."""
    found = LINE.match(line)
    if found is None:
        return line
    bot = re.search(r"(Googlebot|bingbot|Baiduspider|YandexBot|Yahoo! Slurp|msnbot|Twitterbot|AhrefsBot)", found[3])
    name = bot[1].split("!")[0].lower() if bot else "v" + found[1].replace(".", "-")
    return f"{found[1]} - {name} {found[2]}"


def real(splice, whole, line_of, keep, who):
    """On real lines: every third address of a real site, all of four days, with names made of them."""
    at = datetime(2015, 5, 20, 12, 0, 20, tzinfo=timezone.utc)
    kept = [line for line in whole if line.startswith(f"{who} ") or "bot" in line.lower()
            or sum(line.split(" ", 1)[0].encode()) % 3 == 0]
    lines = [named(line) for line in kept]
    keep("new_network", "benign", "real_site_with_names", [(line, False) for line in lines])
    name = "v" + who.replace(".", "-")
    stolen = [line_of(THIEF["ip"], at + timedelta(seconds=50 * number), "GET /blog/tags/puppet?flav=rss20", 200,
                      14_872, THIEF["ua"]).replace(" - - ", f" - {name} ", 1) for number in range(30)]
    keep("new_network", "attack", "real_site_feed_reader_elsewhere", splice(lines, stolen), principal=name,
         marker=THIEF["ip"], earliest=world.iso(at - timedelta(seconds=1)),
         latest=world.iso(at + timedelta(minutes=90)))
