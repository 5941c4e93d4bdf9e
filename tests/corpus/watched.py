"""Cases of what is watched beside identities: endpoints that open, and addresses that many call from."""

import json
from datetime import datetime, timedelta, timezone

from world import FORMATS, World, canonical


def with_host(call):
    """A canonical line with the host that was called; of an MCP call, if it has a method."""
    line = json.loads(canonical(call)) | {"server_address": call.get("host", "api.example.com")}
    if "mcp" in call:
        line |= {"rpc_system": "mcp", "mcp_method_name": call["mcp"]}
    return json.dumps(line, separators=(",", ":"))


FORMATS["hosts"] = (with_host, "ndjson")


def strangers(world, at, count, step, method, path, size, status=200, addresses=6, mark=True):
    """Calls without an identity, from addresses of their own."""
    for number in range(count):
        world.call(world.callers[0], at + timedelta(seconds=step * number), method,
                   path.replace("{n}", str(1_000 + 7 * number)), size, status, who=None, attack=mark,
                   ip=f"203.0.113.{10 + number % addresses}")


def unauthenticated_success(save):
    world = World(1201, rate=16.0).background()
    strangers(world, world.at(2, 14, 2), 30, 20, "GET", "/orders/{n}", 1_500)
    save("unauthenticated_success", "attack", "a_deploy_forgets_the_guard", world, "kong", "", marker="203.0.113.")

    world = World(1202, rate=16.0).background()
    strangers(world, world.at(2, 10, 11), 12, 140, "GET", "/tickets/{n}", 2_500, addresses=1)
    save("unauthenticated_success", "attack", "one_stranger_reads_tickets", world, "canonical", "",
         marker="203.0.113.10")

    world = World(1203, rate=16.0).background()
    strangers(world, world.at(1, 16, 40), 8, 30, "PUT", "/stock/{n}", 200, addresses=8)
    strangers(world, world.at(1, 16, 41), 6, 30, "GET", "/stock/{n}", 500, addresses=8)
    save("unauthenticated_success", "attack", "stock_is_read_by_eight_strangers", world, "generic", "",
         marker="203.0.113.")

    world = World(1211, rate=16.0).background()
    for hour in world.hours():  # half of the readers of this page never logged in
        strangers(world, hour + timedelta(seconds=30), 30, 100, "GET", "/prices", 6_000, mark=False)
    strangers(world, world.at(2, 14, 2), 60, 20, "GET", "/prices", 6_000, mark=False)
    save("unauthenticated_success", "benign", "a_public_page_on_a_busy_day", world, "kong")

    world = World(1212, rate=16.0).background()
    strangers(world, world.at(2, 14, 2), 90, 9, "GET", "/orders/{n}", 120, status=401, mark=False)
    strangers(world, world.at(2, 14, 20), 90, 9, "GET", "/orders/{n}", 120, status=403, mark=False)
    save("unauthenticated_success", "benign", "strangers_are_refused", world, "canonical")

    world = World(1213, rate=16.0).background()
    strangers(world, world.at(2, 14, 2), 90, 9, "GET", "/v2/status", 300, mark=False)
    save("unauthenticated_success", "benign", "a_new_page_is_public_from_its_first_day", world, "generic")

    world = World(1214, rate=40.0).background()
    named = [call for call in world.calls if call["status"] == 200]
    for call in named[::401]:  # the log loses an identity now and then, whatever the endpoint
        call["who"] = None
    save("unauthenticated_success", "benign", "the_log_loses_a_name_now_and_then", world, "kong")


def everybody_from(world, ip, at, callers, step, mark=True):
    for number, caller in enumerate(callers):
        method, path, size = world.pick(caller, [caller.role[0]])
        world.call(caller, at + timedelta(seconds=step * number), method, path, size, 200, ip=ip, attack=mark)


def key_fanout(save):
    world = World(1301, per_role=16).background()
    everybody_from(world, "203.0.113.9", world.at(2, 11, 20), world.callers[:58], 9)
    save("key_fanout", "attack", "fifty_eight_keys_in_nine_minutes", world, "kong", "203.0.113.9")

    world = World(1302, per_role=16).background()
    thief = world.caller("sales-03")
    everybody_from(world, thief.ip, world.at(2, 14, 1), world.callers[20:50], 110)
    save("key_fanout", "attack", "a_colleague_with_thirty_accounts", world, "canonical", thief.ip)

    world = World(1303, per_role=16)
    for caller in world.callers[:4]:  # four share an address since ever
        caller.ip = "198.51.100.4"
    world.background()
    everybody_from(world, "198.51.100.4", world.at(2, 13, 5), world.callers[8:44], 40)
    save("key_fanout", "attack", "four_people_become_forty", world, "generic", "198.51.100.4")

    world = World(1311, per_role=16)
    for caller in world.callers[:40]:  # an office behind one address
        caller.ip = "198.51.100.4"
    world.background()
    save("key_fanout", "benign", "an_office_behind_one_address", world, "kong")

    world = World(1312, per_role=16).background()
    at = world.at(2, 14, 1)
    for number in range(60):  # one password for every name: refused
        world.call(world.callers[number], at + timedelta(seconds=7 * number), "POST", "/login", 90, 401,
                   ip="203.0.113.9")
    save("key_fanout", "benign", "sixty_names_are_refused", world, "canonical")

    world = World(1313, per_role=16)
    for index, caller in enumerate(world.callers):  # mobile networks: a few share each address
        caller.ip = f"192.0.2.{index // 5}"
    world.background()
    for hour in world.hours():
        for caller in world.callers:  # and move from one to the next
            caller.ip = f"192.0.2.{world.rng.randrange(13)}"
            if world.rng.random() < 0.3:
                world.sitting(caller, hour)
    save("key_fanout", "benign", "phones_that_share_and_move", world, "generic")


def grow(world, since, prefix, factor, exact=False):
    """Every answer below a path is larger from a time on."""
    for call in world.calls:
        here = call["path"] == prefix if exact else call["path"].startswith(prefix)
        if here and call["at"] >= since and call["status"] == 200 and call["method"] == "GET":
            call["out"] = round(call["out"] * factor)
            call["attack"] = True


def exposure_change(save):
    world = World(1401, rate=24.0).background()
    grow(world, world.at(2, 13, 20), "/customers/", 9)
    save("exposure_change", "attack", "a_deploy_returns_every_field", world, "kong", "", marker="/customers/")

    world = World(1402, rate=30.0).background()
    grow(world, world.at(2, 14, 5), "/tickets", 7, exact=True)
    save("exposure_change", "attack", "a_list_loses_its_limit", world, "generic", "", marker="/tickets")

    world = World(1403, rate=24.0).background()
    grow(world, world.at(2, 15, 31), "/stock/", 7)
    save("exposure_change", "attack", "stock_with_its_suppliers", world, "nginx", "", marker="/stock/")

    world = World(1411, rate=16.0).background()
    at, reader = world.at(2, 13, 2), world.caller("sales-04")
    for number in range(120):  # one of many asks for all there is
        world.call(reader, at + timedelta(seconds=20 * number), "GET", "/orders", 1_600_000)
    save("exposure_change", "benign", "one_reader_asks_for_all", world, "kong")

    world = World(1412, rate=16.0).background()
    for call in world.calls:  # a list that grows as the business does
        if call["path"] == "/tickets" and call["status"] == 200:
            hours = (call["at"] - world.at(0, 7)).total_seconds() / 3_600
            call["out"] = round(call["out"] * (1 + 0.005 * hours))
    save("exposure_change", "benign", "a_list_that_grows_slowly", world, "generic")

    world = World(1413, rate=16.0).background()
    for caller in world.callers:  # a busy hour
        world.sitting(caller, world.at(2, 13), factor=3.0)
    save("exposure_change", "benign", "everybody_reads_more_of_the_same", world, "nginx")

    world = World(1414, rate=16.0).background()
    grow(world, world.at(2, 13, 20), "/v3/", 9)
    for caller in world.callers:  # a new version with larger answers
        for number in range(9):
            world.call(caller, world.at(2, 13, 20) + timedelta(seconds=world.rng.uniform(0, 3_000)), "GET",
                       f"/v3/customers/{caller.mine[number]}", 9_000)
    save("exposure_change", "benign", "a_new_version_with_more", world, "canonical")


def inventory(save):
    def company(seed):
        return World(seed, days=9, per_role=5, rate=5.0).background()

    world = company(1601)
    at = world.at(8, 13, 5)
    for number in range(30):  # a tool server that nobody has announced, and two networks find it
        world.call(world.callers[0], at + timedelta(seconds=40 * number), "POST", "/mcp", 900, 200, who=None,
                   attack=True, ip=f"203.0.113.{10 + number % 2}", ua="mcp-probe/0.1", host="dev7.example.com",
                   mcp=["initialize", "tools/list"][number % 2])
    save("inventory", "attack", "a_tool_server_nobody_knows", world, "hosts", "", marker="mcp-probe/0.1")

    world = company(1602)
    at = world.at(8, 10, 12)
    for number in range(25):
        world.call(world.callers[0], at + timedelta(seconds=60 * number), "GET", "/admin/export", 90_000, 200,
                   who=None, attack=True, ip="203.0.113.10", ua="curl/8.5")
    save("inventory", "attack", "an_export_without_credentials", world, "canonical", "", marker="203.0.113.10")

    world = company(1603)
    at = world.at(8, 15, 2)
    for number in range(18):  # a debug build has gone live
        world.call(world.callers[number], at + timedelta(seconds=20 * number), "GET",
                   f"/debug/{['heap', 'vars', 'trace', 'config', 'routes', 'threads'][number % 6]}", 4_000, 200,
                   attack=True)
    save("inventory", "attack", "a_debug_build_goes_live", world, "kong", "", marker="/debug/")

    world = World(1611, days=9, per_role=5, rate=5.0).background()
    for day in range(1, 9):  # a release every day, with a few new endpoints each
        for number in range(5):
            for caller in world.callers[:6]:
                at = world.at(day, 11, 2) + timedelta(seconds=world.rng.uniform(0, 2_400))
                world.call(caller, at, "GET", f"/v{day}/{['list', 'search', 'detail', 'count', 'hints'][number]}",
                           2_000, 200)
    save("inventory", "benign", "a_release_every_day", world, "kong")

    world = company(1612)
    at = world.at(8, 13, 5)
    for number in range(60):  # a scanner finds nothing
        world.call(world.callers[0], at + timedelta(seconds=20 * number), "GET", f"/backup/{number}.zip", 120, 404,
                   who=None, ip="203.0.113.10")
    save("inventory", "benign", "a_scanner_finds_nothing", world, "canonical")

    world = company(1613)
    for caller in world.callers:  # one new endpoint, used by all who are known
        world.call(caller, world.at(8, 10, 5) + timedelta(seconds=world.rng.uniform(0, 2_000)), "GET",
                   "/orders/summary", 3_000, 200)
    save("inventory", "benign", "one_new_endpoint_for_all", world, "hosts")


def make(save):
    unauthenticated_success(save)
    exposure_change(save)
    inventory(save)
    key_fanout(save)


def as_account(line, real, account):
    """A real line as JSON, with an account that the log does not have."""
    fields = json.loads(real.as_agent(line))
    fields.pop("agent_name", None)
    name = account(fields)
    if name:
        fields["principal_id"] = name
    return json.dumps(fields, separators=(",", ":"))


def make_real(real, logs, keep):
    """On the lines of a public site, with accounts that it does not have."""
    lines = [line for line in real.read(logs / "apache_semicomplete.log.gz") if real.PARTS.match(line)]
    iso = "%Y-%m-%dT%H:%M:%S.000Z"

    def by_address(fields):
        return "reader-" + fields["client_address"]

    def by_program(fields):
        return fields["user_agent_original"][:60]

    at = datetime(2015, 5, 20, 20, 5, 10, tzinfo=timezone.utc)
    articles = ["ssl-latency", "disabling-battery-in-ubuntu-vms", "solving-good-or-bad-problems",
                "installing-windows-8-consumer-preview"]
    opened = [(json.dumps({"time": (at + timedelta(seconds=21 * number)).strftime(iso),
                           "client_address": f"203.0.113.{number % 5 + 1}", "http_request_method": "GET",
                           "url_path": f"/blog/geekery/{articles[number % 4]}.html", "http_response_status_code": 200,
                           "http_response_body_size": 9_000 + number}, separators=(",", ":")), True)
              for number in range(24)]
    named = [(as_account(line, real, by_address), False) for line in lines]
    both = sorted(named + opened, key=lambda it: (json.loads(it[0])["time"], it[1]))
    keep("unauthenticated_success", "attack", "real_site_articles_without_an_account", both, principal="",
         marker="203.0.113.", earliest=at.strftime(iso), latest=(at + timedelta(minutes=60)).strftime(iso))
    named = [(as_account(line, real, lambda fields: by_address(fields) if "bot" not in line else None), False)
             for line in lines]
    keep("unauthenticated_success", "benign", "real_site_where_robots_need_no_account", named)

    def larger(text):
        fields = json.loads(text)
        grows = fields["time"] >= "2015-05-20T12" and fields["url_path"] == "/favicon.ico"
        if not grows or fields["http_response_status_code"] != 200:
            return text, False
        return json.dumps(fields | {"http_response_body_size": 6 * fields.get("http_response_body_size", 600)},
                          separators=(",", ":")), True

    keep("exposure_change", "attack", "real_site_an_icon_grows", [larger(real.as_agent(line)) for line in lines],
         principal="", marker="favicon", earliest="2015-05-20T12:00:00.000Z", latest="2015-05-20T23:00:00.000Z")
    keep("exposure_change", "benign", "real_site_as_it_is", [(real.as_agent(line), False) for line in lines])

    programs = sorted({json.loads(real.as_agent(line))["user_agent_original"][:60] for line in lines})
    at = datetime(2015, 5, 20, 12, 5, 10, tzinfo=timezone.utc)
    shared = [(json.dumps({"time": (at + timedelta(seconds=13 * number)).strftime(iso),
                           "client_address": real.FEED_READER, "http_request_method": "GET", "url_path": "/",
                           "http_response_status_code": 200, "http_response_body_size": 9_000 + number,
                           "user_agent_original": "curl/8.5", "principal_id": program}, separators=(",", ":")), True)
              for number, program in enumerate(programs[:45])]
    named = [(as_account(line, real, by_program), False) for line in lines]
    both = sorted(named + shared, key=lambda it: (json.loads(it[0])["time"], it[1]))
    keep("key_fanout", "attack", "real_site_one_address_as_forty_five", both, principal=real.FEED_READER,
         marker="curl/8.5", earliest=at.strftime(iso), latest=(at + timedelta(minutes=60)).strftime(iso))
    keep("key_fanout", "benign", "real_site_programs_and_their_addresses", named)

    lines = [line for line in real.read(logs / "secrepo.log.gz") if real.PARTS.match(line)]

    def at_host(line):
        fields = json.loads(as_account(line, real, by_address))
        return json.dumps(fields | {"server_address": "www.secrepo.example"}, separators=(",", ":"))

    at = datetime(2015, 1, 26, 12, 5, 10, tzinfo=timezone.utc)
    probes = [(json.dumps({"time": (at + timedelta(seconds=31 * number)).strftime(iso),
                           "client_address": f"203.0.113.{number % 2 + 1}", "http_request_method": "POST",
                           "url_path": "/mcp", "http_response_status_code": 200, "server_address": "dev7.secrepo.example",
                           "http_response_body_size": 700 + number, "rpc_system": "mcp",
                           "mcp_method_name": ["initialize", "tools/list"][number % 2]}, separators=(",", ":")), True)
              for number in range(12)]
    named = [(at_host(line), False) for line in lines]
    both = sorted(named + probes, key=lambda it: (json.loads(it[0])["time"], it[1]))
    keep("inventory", "attack", "real_small_site_a_tool_server", both, principal="", marker="203.0.113.",
         earliest=at.strftime(iso), latest=(at + timedelta(minutes=60)).strftime(iso))
    keep("inventory", "benign", "real_small_site_as_it_is", named)
