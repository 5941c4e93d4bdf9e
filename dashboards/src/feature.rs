//! The features of an identity's hour, as the table `windows` has them.

/// Name of the column, and the unit of its values.
pub(crate) const FEATURES: [(&str, &str); 38] = [
    ("requests", "calls"),
    ("bytes_in", "bytes"),
    ("bytes_out", "bytes"),
    ("endpoints_distinct", "endpoints"),
    ("endpoints_new", "endpoints"),
    ("endpoints_denied_distinct", "operations"),
    ("objects_distinct", "objects"),
    ("objects_new", "objects"),
    ("objects_foreign", "objects"),
    ("objects_changed_distinct", "objects"),
    ("objects_deleted_distinct", "objects"),
    ("secrets_read_distinct", "secrets"),
    ("status_2xx", "calls"),
    ("status_3xx", "calls"),
    ("status_401", "calls"),
    ("status_403", "calls"),
    ("status_404", "calls"),
    ("status_4xx_other", "calls"),
    ("status_5xx", "calls"),
    ("write_share", "0 to 1"),
    ("requests_per_10s_max", "calls"),
    ("requests_per_min_max", "calls"),
    ("networks_distinct", "networks"),
    ("networks_new", "networks"),
    ("user_agents_distinct", "programs"),
    ("injection_requests", "calls"),
    ("injection_answered", "calls"),
    ("calls_repeated_max", "calls"),
    ("acted_requests", "calls"),
    ("subjects_distinct", "identities"),
    ("subjects_new", "identities"),
    ("chain_actors_max", "actors"),
    ("tools_distinct", "tools"),
    ("tools_new", "tools"),
    ("step_bits_max", "bits"),
    ("surprisal_mean_bits", "bits"),
    ("duration_p95_ms", "ms"),
    ("gap_p50_s", "s"),
];

/// The names alone.
pub(crate) fn names() -> Vec<&'static str> {
    FEATURES.into_iter().map(|(name, _)| name).collect()
}

/// An array of all of them in SQL, each with its name, its unit and its value.
pub(crate) fn all() -> String {
    let one = |(name, unit): (&str, &str)| {
        format!("('{name}', '{unit}', CAST({name}, 'Nullable(Float64)'))")
    };
    format!("[{}]", FEATURES.map(one).join(", "))
}

/// The value of the one that was chosen; of no such name, none.
pub(crate) fn chosen() -> String {
    let all = all();
    format!("arrayFirst(it -> it.1 = decodeURLComponent('${{feature:percentencode}}'), {all}).3")
}
