"""Cases of `injection`: signs of injection in request targets, and what they were answered."""

from datetime import datetime, timedelta, timezone
from urllib.parse import quote_plus

from world import World

SQL = ["1' or '1'='1", "1 and 5383=5383", "1' order by {n}-- -", "-1 union all select null,null,{n}-- -",
       "1') and ('x'='x", "1;drop table users", "1' and extractvalue({n},concat(0x7e,version()))-- -",
       "1 union select table_name,{n} from information_schema.tables"]
MIXED = ["../../../../etc/passwd", "<script>alert({n})</script>", "1' or {n}={n}-- -", ";cat /etc/passwd",
         "{{{{{n}*7}}}}", "http://169.254.169.254/latest/meta-data/", "\"><img src=x onerror=alert({n})>"]


def probe(template, number):
    return quote_plus(template.format(n=number))


def make(save):
    world = World(1001).background()
    at, thief = world.at(2, 10, 12), world.caller("sales-03")
    for number in range(37):  # four of them bring the whole table
        effective = number in (21, 26, 30, 35)
        world.attack(thief, at + timedelta(seconds=11 * number), "GET",
                     f"/orders?sort={probe(SQL[number % len(SQL)], number)}", 1_100_000 if effective else 12_000,
                     status=200 if effective else [400, 500, 400][number % 3])
    save("injection", "attack", "a_table_comes_back", world, "kong", "sales-03")

    world = World(1002).background()
    at, scanner = world.at(2, 14, 3), world.caller("fin-02")
    for number in range(60):  # nothing of it is there
        world.attack(scanner, at + timedelta(seconds=4 * number), "GET",
                     f"/old/view{number}.php?f={probe(MIXED[number % len(MIXED)], number)}", 120, status=404)
    save("injection", "attack", "a_scan_that_is_refused", world, "nginx", "fin-02")

    world = World(1003).background()
    at, thief = world.at(1, 15, 31), world.caller("support-04")
    for number in range(14):  # the answers look as ever, but the database sleeps
        world.attack(thief, at + timedelta(seconds=40 * number), "GET",
                     f"/tickets?owner={probe(['x' + chr(39) + '||pg_sleep(9)-- -', '1 and sleep(9)'][number % 2], 0)}",
                     9_000, ms=9_000 + 13 * number)
    save("injection", "attack", "the_database_sleeps", world, "generic", "support-04")

    words = ["O'Brien", "d'Artagnan or Athos", '"salt and pepper" or "oil"', "select a union from the list",
             "rock 'n' roll -- best of", "1 or 2 rooms", "C++ vector<int>", "drop table lamp", "order by phone",
             "Müller & Söhne", "cat /etc in linux", "x > 5 and y < 3"]
    world = World(1011).background()
    at, reader = world.at(2, 10, 12), world.caller("sales-03")
    for number in range(150):
        world.call(reader, at + timedelta(seconds=9 * number), "GET",
                   f"/orders?q={quote_plus(words[number % len(words)])}", 12_000)
    save("injection", "benign", "prose_in_a_search_box", world, "kong")

    world = World(1012).background()
    at, client = world.at(2, 14, 3), world.caller("fin-02")
    values = ["https://shop.example.com/cart?x=1", "http://localhost:8080/callback", "/reports?month=2", "dGVzdA==",
              '{"a":{"$gt":5},"b":[1,2]}', "price gt 5 and name eq 'blue'", "2026-04-14T07:00:00+02:00",
              "name|id|email"]
    for number in range(160):
        world.call(client, at + timedelta(seconds=8 * number), "GET",
                   f"/invoices?redirect={quote_plus(values[number % len(values)])}", 11_000)
    save("injection", "benign", "urls_filters_and_tokens", world, "generic")

    world = World(1013)
    check = world.add("wall-check", [("GET", "/health", 1, 40)], 0.0)
    world.background(lambda caller, hour: caller is check)
    for hour in world.hours():  # tests the firewall every hour since ever, with real signatures
        for number in range(round(world.rng.gauss(40, 4))):
            world.call(check, hour + timedelta(seconds=30 + 20 * number), "GET",
                       f"/health?probe={probe(MIXED[number % len(MIXED)], number)}", 120, status=403)
    save("injection", "benign", "the_hourly_check_of_the_firewall", world, "kong")

    world = World(1014).background()
    at, author = world.at(2, 11, 20), world.caller("support-05")
    for number in range(60):  # pastes a line of code into the search three times
        text = "<script>alert(1)</script>" if number % 20 == 7 else "printer on fire"
        world.call(author, at + timedelta(seconds=50 * number), "GET", f"/tickets?q={quote_plus(text)}", 9_000)
    save("injection", "benign", "a_line_of_code_in_a_search", world, "nginx")


def real(add, site, other, line_of, keep, who):
    """On real lines: probes of a real page by the feed reader, and two real sites as they are."""
    at = datetime(2015, 5, 18, 10, 7, 10, tzinfo=timezone.utc)
    add(keep, "injection", "real_site_probes_of_a_page", site,
        [line_of(who, at + timedelta(seconds=7 * number),
                 f"GET /projects/xdotool/?page={probe((SQL + MIXED)[number % 15], number)}", 200, 12_292)
         for number in range(75)], who)
    for name, lines in [("real_site_as_it_is", site), ("real_small_site_as_it_is", other)]:
        keep("injection", "benign", name, [(line, False) for line in lines])
