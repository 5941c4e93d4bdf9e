//! *Agents*: what programs do, for whom, and with which tools.

use crate::column::{HOURS, column, finding};
use crate::dashboard::{Dashboard, tenant};
use crate::link;
use crate::panel::Panel;
use crate::query::{Query, query};
use crate::target::Format::{Table, TimeSeries};

pub(crate) fn agents() -> Dashboard {
    Dashboard {
        uid: "habitus-agents",
        description: "Agents: who acts for whom, with which tools and servers, and what about it was odd.",
        from: "now-7d",
        variables: vec![tenant()],
        annotations: Vec::new(),
        panels: [activity(), tools(), found()].into_iter().flatten().collect(),
    }
}

fn hours(columns: &str) -> Query {
    query!("agents_hours").with("columns", columns)
}

fn of(detectors: &str) -> Query {
    query!("detectors_findings").with("detectors", detectors)
}

fn activity() -> Vec<Panel> {
    vec![
        Panel::stat(
            1,
            "Agents",
            "Identities that acted on behalf of others or called a tool in the time range.",
        )
        .unit("short")
        .size(4, 8)
        .query(Table, query!("agents_count")),
        Panel::lines(
            2,
            "Calls on behalf of others",
            "Calls that agents made for somebody else, by UTC hour, over all agents.",
        )
        .unit("short")
        .interval("1h")
        .size(10, 8)
        .query(TimeSeries, hours("sum(hour.acted_requests) AS acted_requests")),
        Panel::lines(
            3,
            "Reach of the widest agent",
            "The most identities that one agent acted for in an hour, the most tools that one called, and the longest chain of actors.",
        )
        .unit("short")
        .interval("1h")
        .size(10, 8)
        .query(
            TimeSeries,
            hours("max(hour.subjects_distinct) AS subjects_max,\n    max(hour.tools_distinct) AS tools_max,\n    max(hour.chain_actors_max) AS chain_actors_max"),
        ),
        Panel::table(
            4,
            "Agents and what they did",
            "Agents of the time range: calls on behalf of others, the most identities and tools of an hour, how many were new, the longest chain of actors and the longest run of calls without news. At most 100.",
        )
        .size(24, 11)
        .columns([
            column("principal_id").width(280).link("The identity", link::IDENTITY),
            column("last_active").unit("dateTimeAsIso").width(170),
            column("hours").unit(HOURS),
        ])
        .query(Table, query!("agents_table")),
    ]
}

fn tools() -> Vec<Panel> {
    vec![
        Panel::table(
            5,
            "Tools",
            "Tools that were called over MCP, by name: agents that used it, calls, calls refused or without a success in their hour, and calls in hours with a finding. From the start of the time range's first UTC day on; days are written when they are over.",
        )
        .size(14, 10)
        .columns([
            column("tool").width(220),
            column("first_day").unit("dateTimeAsIso").width(170),
            column("last_day").unit("dateTimeAsIso").width(170),
        ])
        .query(Table, query!("agents_tools")),
        Panel::bars(
            6,
            "Operations by kind",
            "Calls of operations, by protocol and method: what agents ask of servers. UTC days, written when they are over.",
        )
        .unit("short")
        .interval("1d")
        .size(10, 10)
        .query(TimeSeries, query!("agents_rpc")),
        Panel::table(
            7,
            "MCP servers in findings",
            "Servers that a finding of tool_drift or agent_graph names, with the tools that changed. Calls are kept by tool alone, so a server without a finding is not in this list.",
        )
        .size(12, 9)
        .columns([
            column("server").width(220),
            column("tools").text(),
            column("severity_max").severity(),
            column("last_detected_at").unit("dateTimeAsIso").width(170),
        ])
        .query(Table, query!("agents_servers")),
        Panel::table(
            8,
            "New delegation pairs",
            "Who called whom for the first time, or passed errors on: the pairs that agent_graph found. Pairs that are ordinary are not kept.",
        )
        .size(12, 9)
        .columns([
            column("caller").width(260),
            column("callee").width(220),
            column("severity_max").severity(),
            column("last_detected_at").unit("dateTimeAsIso").width(170),
            column("sentence").text(),
            column("principal_id").width(240).link("The identity", link::IDENTITY),
        ])
        .query(Table, query!("agents_pairs")),
    ]
}

fn found() -> Vec<Panel> {
    vec![
        Panel::lines(
            9,
            "Longest run without news",
            "The longest run of calls of one agent's session in an hour that brought nothing new: a loop grows here first.",
        )
        .unit("short")
        .interval("1h")
        .size(8, 9)
        .query(TimeSeries, hours("max(hour.calls_repeated_max) AS calls_repeated_max")),
        Panel::table(
            10,
            "Loops",
            "Sessions of agents that repeated a call or a short cycle of calls and learned nothing.",
        )
        .size(16, 9)
        .columns(finding())
        .query(Table, of("'runaway_loop'")),
        Panel::table(
            11,
            "Tool drift",
            "Tools that changed behind their name, known names from another server, and new tools in the place of ones that are gone.",
        )
        .size(24, 9)
        .columns(finding())
        .query(Table, of("'tool_drift'")),
        Panel::table(
            12,
            "Delegation",
            "Agents that acted for many, for many new identities, or through a longer chain than ever.",
        )
        .size(24, 9)
        .columns(finding())
        .query(Table, of("'delegation', 'agent_graph'")),
        Panel::table(
            13,
            "Injection and toxic flows",
            "Requests with signs of injection, and sensitive reads that something was sent out after.",
        )
        .size(24, 9)
        .columns(finding())
        .query(Table, of("'injection', 'toxic_flow'")),
    ]
}
