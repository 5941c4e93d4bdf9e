"""Cases on real log lines: two public sites' access logs, as they are or with an attack spliced in by hand."""

import gzip
import json
import re
from datetime import datetime, timedelta, timezone

import injection
import networks

LINE = re.compile(r'(\S+) (\S+) (\S+) \[([^\]]+)\] (.*)')
FEED_READER = "46.105.14.53"   # asks for one feed, every few minutes, for days
CRAWLER = "66.249.73.135"


def time_of(line):
    return datetime.strptime(LINE.match(line)[4], "%d/%b/%Y:%H:%M:%S %z").astimezone(timezone.utc)


def read(path, until=None):
    lines = gzip.open(path, "rt", encoding="utf-8", errors="surrogateescape").read().splitlines()
    return [line for line in lines if until is None or time_of(line) < until]


def stamp(at):
    return at.strftime("%d/%b/%Y:%H:%M:%S +0000")


def line_of(ip, at, request, status, size, agent="Mozilla/5.0 (X11; Linux x86_64)"):
    return f'{ip} - - [{stamp(at)}] "{request} HTTP/1.1" {status} {size} "-" "{agent}"'


def splice(real, more):
    """Real lines in their own order, each new one before the first that is later."""
    keyed = [(time_of(line), 0, number, line, False) for number, line in enumerate(real)]
    keyed += [(time_of(line), 1, number, line, True) for number, line in enumerate(more)]
    return [(line, attack) for _, _, _, line, attack in sorted(keyed, key=lambda it: it[:3])]


def add(keep, detector, name, real, more, who):
    at = sorted(time_of(line) for line in more)
    iso = "%Y-%m-%dT%H:%M:%S.000Z"
    keep(detector, "attack", name, splice(real, more), principal=who, marker=f"{who} ",
         earliest=(at[0] - timedelta(seconds=1)).strftime(iso),
         latest=(at[-1] + timedelta(minutes=60)).strftime(iso))


PROGRAM = re.compile(
    r"[\w.-]*(?:bot|crawl|spider|slurp|feed|reader|fetch|java|curl|wget|python|ruby|monitor|check)[\w.-]*", re.I)

PARTS = re.compile(r'(\S+) \S+ \S+ \[[^\]]+\] "(\S+) (\S+)[^"]*" (\d+) (\S+) "[^"]*" "([^"]*)"')


def iso_of(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def as_agent(line):
    """A real line as JSON; programs that name themselves are named as agents, people are not."""
    match = PARTS.match(line)
    address, method, path, status, size, program = match.groups()
    fields = {"time": iso_of(time_of(line)), "client_address": address, "http_request_method": method,
              "url_path": path.split("?")[0], "http_response_status_code": int(status),
              "user_agent_original": program}
    if "?" in path:
        fields["url_query"] = path.split("?", 1)[1]
    if size != "-":
        fields["http_response_body_size"] = int(size)
    named = PROGRAM.search(program)
    if named:
        fields["agent_name"] = named[0]
    return json.dumps(fields, separators=(",", ":"))


MONITOR = "86.1.76.62"         # loads one page with its style sheets and images, in the usual order


def in_order(lines):
    """Real lines spread evenly over their hours, in the order in which they stand: the published log's
    seconds are not in that order, and the order is what this is about."""
    hours = {}
    for line in lines:
        hours.setdefault(time_of(line).replace(minute=0, second=0), []).append(line)
    for hour, own in sorted(hours.items()):
        for number, line in enumerate(own):
            yield at_time(line, hour + timedelta(seconds=int(3_600 * number / len(own))))


def at_time(line, at):
    return re.sub(r"\[[^\]]+\]", f"[{stamp(at)}]", line, count=1)


def make(logs, keep):
    whole = read(logs / "apache_semicomplete.log.gz")
    site = read(logs / "apache_semicomplete.log.gz", datetime(2015, 5, 18, 13, tzinfo=timezone.utc))
    first_day = read(logs / "apache_semicomplete.log.gz", datetime(2015, 5, 18, tzinfo=timezone.utc))
    other = read(logs / "secrepo.log.gz")
    at = datetime(2015, 5, 18, 10, 7, 10, tzinfo=timezone.utc)

    def moved(source, who, at, step):
        """Real lines of others, at other times and under another address."""
        return [f"{who} - - [{stamp(at + timedelta(seconds=step * number))}] {LINE.match(line)[5]}"
                for number, line in enumerate(source)]

    add(keep, "object_enumeration", "real_site_numbered_attachments", site,
        [line_of(FEED_READER, at + timedelta(seconds=6 * number), f"GET /files/attachments/{1000 + number}",
                 200, 5000 + 37 * number) for number in range(150)], FEED_READER)
    jars = [line for line in whole if re.search(r'"GET /files/\S+\.jar HTTP/1.[01]" 200 \d{7}', line)]
    jars = (jars * 40)[:40]
    add(keep, "egress_spike", "real_site_all_jars", site, moved(jars, FEED_READER, at, 15), FEED_READER)
    add(keep, "first_seen_endpoint", "real_site_feed_reader_administers", site,
        [line_of(FEED_READER, at + timedelta(seconds=40 * number), "POST /admin/users/roles", 200, 412)
         for number in range(3)], FEED_READER)
    add(keep, "auth_failures", "real_site_locked_area", other,
        [line_of("78.245.91.140", datetime(2015, 1, 24, 20, 3, tzinfo=timezone.utc)
                 + timedelta(seconds=6 * number), "GET /private/", 401, 381) for number in range(90)],
        "78.245.91.140")
    paths = ["wp-login.php", "phpmyadmin/", "pma/", ".git/config", ".env", "admin/", "manager/html", "cgi-bin/test.cgi",
             "xmlrpc.php", "server-status", "backup.zip", "db.sql", "console/", "actuator/env", "solr/", "jenkins/",
             "login.asp", "config.php", "setup.php", "shell.php", "old/", "test/", "api/v1/", "owa/", "webdav/"]
    add(keep, "denied_probing", "real_site_well_known_paths", other,
        [line_of("109.67.37.159", datetime(2015, 1, 24, 11, 20, tzinfo=timezone.utc)
                 + timedelta(seconds=9 * number), f"GET /{path}", 404, 285)
         for number, path in enumerate(paths)], "109.67.37.159")
    pages = [line for line in site if line.startswith(CRAWLER + " ")]
    add(keep, "machine_speed", "real_site_feed_reader_at_machine_speed", site,
        moved((pages * 9)[:500], FEED_READER, at, 0.1), FEED_READER)
    add(keep, "write_burst", "real_site_attachments_deleted", site,
        [line_of(FEED_READER, at + timedelta(seconds=5 * number), f"DELETE /files/attachments/{1000 + number}",
                 204, 0) for number in range(60)], FEED_READER)
    crawl = [line for line in whole if line.startswith(CRAWLER + " ")][:160]
    longer = read(logs / "apache_semicomplete.log.gz", datetime(2015, 5, 18, 18, tzinfo=timezone.utc))
    add(keep, "not_itself", "real_site_feed_reader_crawls", longer,
        moved(crawl, FEED_READER, at + timedelta(hours=6), 40), FEED_READER)
    add(keep, "joint_outlier", "real_site_posts_and_errors", site,
        [line_of(FEED_READER, at + timedelta(seconds=90 * number), f"POST /blog/tags/puppet?flav={number % 3}",
                 [500, 200, 413, 503][number % 4], [93_000, 17, 240_000][number % 3], f"client/{number}.0")
         for number in range(30)], FEED_READER)

    plain = [line for line in whole if PARTS.match(line)]
    agents = [(as_agent(line), False) for line in plain]
    keep("runaway_loop", "benign", "real_programs_as_they_are", agents)
    looped = [line for line in pages if ' 200 ' in line and "Googlebot/2.1" in line and "Mobile" not in line]
    later = at + timedelta(days=2)
    looped = moved(looped[:2] * 60, CRAWLER, later, 4)
    keep("runaway_loop", "attack", "real_crawler_goes_in_circles",
         [(as_agent(line), attack) for line, attack in splice(plain, looped)], principal=CRAWLER,
         marker=f'"client_address":"{CRAWLER}"', earliest=iso_of(later - timedelta(seconds=1)),
         latest=iso_of(later + timedelta(minutes=60)))

    injection.real(add, site, other, line_of, keep, FEED_READER)
    keep("sequence", "benign", "real_site_as_it_is", [(line, False) for line in whole])
    ordered = list(in_order(whole))
    load = [line for line in ordered if line.startswith(MONITOR + " ")][:6]
    hours = [datetime(2015, 5, 17, 13, tzinfo=timezone.utc) + timedelta(hours=hour) for hour in range(69)]
    usual = [at_time(line, hour + timedelta(minutes=10 * half, seconds=2 * number))
             for hour in hours for half in (1, 4) for number, line in enumerate(load)]
    ordered = [line for line, _ in splice(ordered, usual)]
    keep("sequence", "benign", "real_site_and_a_monitor", [(line, False) for line in ordered])
    odd = [at_time(line, later + timedelta(seconds=60 * nth + 5 * number))
           for nth in range(16) for number, line in enumerate(load[::-1])]
    add(keep, "sequence", "real_page_loaded_backwards", ordered, odd, MONITOR)

    networks.real(splice, whole, line_of, keep, FEED_READER)
    keep("machine_speed", "benign", "real_site_first_day", [(line, False) for line in first_day])
    keep("joint_outlier", "benign", "real_site_as_it_is", [(line, False) for line in site])
    for detector in ("object_enumeration", "egress_spike", "first_seen_endpoint", "auth_failures", "denied_probing",
                     "not_itself", "write_burst"):
        keep(detector, "benign", "real_small_site_as_it_is", [(line, False) for line in other])
