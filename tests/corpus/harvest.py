"""Cases of secret_harvesting: secrets that are read by the dozen, and reads that only look like it."""

import json
from datetime import datetime, timedelta, timezone

from world import FORMATS, World, canonical

SERVICES = ["billing", "search", "mailer", "ledger", "gateway", "indexer", "reports", "sessions", "imports", "cron"]
KINDS = ["db", "cache", "smtp", "s3", "oauth", "signing"]


def mcp(call):
    """A canonical line; of an MCP call, if it has a resource or a tool."""
    if "rpc" not in call:
        return canonical(call)
    line = json.loads(canonical(call)) | {"rpc_system": "mcp"} | call["rpc"]
    return json.dumps(line, separators=(",", ":"))


FORMATS["mcp"] = (mcp, "ndjson")


def path_of(number):
    return f"/v1/secret/data/{SERVICES[number % 10]}/{KINDS[number // 10 % 6]}"


def resource(uri, agent):
    return {"method": "POST", "path": "/mcp", "rpc": {"mcp_method_name": "resources/read", "resource_uri": uri,
                                                       "agent_id": agent}}


def starts(world, share=0.15):
    """Now and then somebody's program starts, and reads the two secrets that it needs."""
    for hour in world.hours():
        for index, caller in enumerate(world.callers):
            if world.rng.random() < share:
                at = hour + timedelta(seconds=round(world.rng.uniform(0, 1_800)))
                for number in range(2):
                    world.call(caller, at + timedelta(seconds=number), "GET", path_of(index + 10 * number), 300,
                               status=200)
    return world


def make(save):
    world = starts(World(1101).background())
    at, thief = world.at(2, 10, 5), world.caller("sales-03")
    for number in range(45):
        world.attack(thief, at + timedelta(seconds=9 * number), "GET", path_of(number), 300)
    save("secret_harvesting", "attack", "a_vault_emptied_in_seven_minutes", world, "kong", "sales-03")

    world = starts(World(1102).background())
    at, agent = world.at(2, 13, 20), world.caller("support-02")
    for hour in world.hours():  # an agent that reads documents all its life
        for number in range(8):
            document = resource(f"file:///srv/handbook/chapter-{world.rng.randrange(40)}.md", "ci-fixer")
            world.call(agent, hour + timedelta(seconds=200 + 70 * number), size=4_000, status=200, **document)
    files = [f"file:///srv/{service}/{name}" for service in SERVICES for name in (".env", "deploy/id_rsa", "tls.pem")]
    for number, uri in enumerate(files):
        world.attack(agent, at + timedelta(seconds=16 * number), size=900, **resource(uri, "ci-fixer"))
    save("secret_harvesting", "attack", "an_agent_reads_key_files", world, "mcp", "support-02")

    world = starts(World(1103).background())
    at, thief = world.at(1, 15, 2), world.caller("stock-05")
    for number in range(26):  # one every two minutes, in every namespace
        world.attack(thief, at + timedelta(seconds=120 * number), "GET",
                     f"/api/v1/namespaces/{SERVICES[number % 10]}-prod/secrets/{KINDS[number % 6]}-{number}", 1_200)
    save("secret_harvesting", "attack", "a_secret_every_two_minutes", world, "canonical", "stock-05")

    world = starts(World(1104).background())
    at, thief = world.at(2, 16, 10), world.caller("fin-06")
    for number in range(18):
        world.attack(thief, at + timedelta(seconds=4 * number), "GET", f"/users/{3000 + number}/api-keys", 700)
    save("secret_harvesting", "attack", "api_keys_of_other_users", world, "generic", "fin-06")

    world = World(1111)
    sync = world.add("vault-sync", [("GET", path_of(0), 1, 300)], 0.0)
    starts(world.background(lambda caller, hour: caller is sync))
    for hour in world.hours():  # reads as many as the thief, every hour since ever
        for number in range(45):
            world.call(sync, hour + timedelta(seconds=60 + 9 * number), "GET", path_of(number), 300, status=200)
    save("secret_harvesting", "benign", "the_hourly_synchronisation_of_secrets", world, "kong")

    world = starts(World(1112).background())
    at, poller = world.at(2, 10, 5), world.caller("stock-03")
    for number in range(150):  # renews one lease, and looks whether another has changed
        world.call(poller, at + timedelta(seconds=12 * number), "GET", path_of(number % 2), 300, status=200)
    save("secret_harvesting", "benign", "two_secrets_polled_for_long", world, "generic")

    world = starts(World(1113).background())
    at, asker = world.at(2, 10, 5), world.caller("sales-03")
    for number in range(45):
        world.call(asker, at + timedelta(seconds=9 * number), "GET", path_of(number), 90, status=403)
    save("secret_harvesting", "benign", "no_secret_is_given", world, "kong")

    world = starts(World(1114).background())
    at = world.at(2, 14)
    for index, caller in enumerate(world.callers):  # everything is restarted, and reads what it needs
        for number in range(4):
            world.call(caller, at + timedelta(seconds=index * 11 + number), "GET", path_of(index + 10 * number), 300,
                       status=200)
    save("secret_harvesting", "benign", "everything_is_restarted", world, "canonical")

    world = starts(World(1115).background())
    at, reader = world.at(2, 11, 3), world.caller("support-06")
    for number, noun in enumerate(SERVICES * 3):  # reads about secrets
        page = [f"/blog/keeping-secrets-in-{noun}-safe", f"/assets/{noun}/tokens.css", f"/help/{noun}-token.html"]
        world.call(reader, at + timedelta(seconds=20 * number), "GET", page[number % 3], 9_000, status=200)
    save("secret_harvesting", "benign", "pages_about_secrets", world, "canonical")


def make_real(real, logs, keep):
    """On the lines of a public site: key files that were left in the web root, by the feed reader."""
    site = real.read(logs / "apache_semicomplete.log.gz", datetime(2015, 5, 18, 13, tzinfo=timezone.utc))
    at = datetime(2015, 5, 18, 10, 7, 10, tzinfo=timezone.utc)
    places = ["", "/blog", "/projects", "/files", "/reset", "/old", "/images"]
    paths = [f"{place}/{name}" for place in places for name in (".env", "id_rsa", "credentials")]
    real.add(keep, "secret_harvesting", "real_site_key_files_in_the_web_root", site,
             [real.line_of(real.FEED_READER, at + timedelta(seconds=13 * number), f"GET {path}", 200, 700 + number)
              for number, path in enumerate(paths)], real.FEED_READER)
    other = real.read(logs / "secrepo.log.gz")
    keep("secret_harvesting", "benign", "real_small_site_as_it_is", [(line, False) for line in other])
    first_days = real.read(logs / "apache_semicomplete.log.gz", datetime(2015, 5, 19, tzinfo=timezone.utc))
    keep("secret_harvesting", "benign", "real_site_as_it_is", [(line, False) for line in first_days])
