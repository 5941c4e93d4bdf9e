//! A scenario: how many of whom, from when, for how long, and whether anything goes wrong.

use crate::actor::Actor;
use crate::calendar::{NS_PER_D, NS_PER_H, NS_PER_S};
use crate::cases::Case;
use crate::cast::Cast;
use crate::change::Change;
use crate::merge::merge;
use crate::record::Record;
use crate::truth::Truth;
use crate::{attacks, cases, change, raids};
use std::ops::ControlFlow;

/// The longest scenario, in hours: 400 days.
pub const HOURS_MAX: u32 = 400 * 24;
/// The most identities of one kind.
const CAST_MAX: u32 = 100_000;
/// The earliest and the latest start, in seconds since the epoch: the years 2001 to 2099.
const STARTS_S: (i64, i64) = (978_307_200, 4_102_444_799);

/// What goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Attacks {
    /// Nothing.
    None,
    /// Twelve attacks in one day, after its twelfth hour.
    Day,
    /// One attack for each detector in each strength, over all days after the first, as far as they
    /// have time for what must come before and there are victims enough.
    Spread,
    /// One of the scenarios A to K, on the last day, or over all days after the first week.
    Case(Case),
}

/// What to generate. The default is the demo: a Monday with about 300 identities and attacks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scenario {
    /// The seed: the same scenario gives the same records.
    pub seed: u64,
    /// The first second, since the Unix epoch; held within the years 2001 to 2099.
    pub start_s: i64,
    /// How long it lasts, in hours; at most 9 600.
    pub hours: u32,
    /// How many people there are; at most 100 000.
    pub people: u32,
    /// How many services there are; at most 100 000.
    pub services: u32,
    /// How many AI agents there are; at most 100 000.
    pub agents: u32,
    /// What goes wrong; what finds no suitable victim is left out.
    pub attacks: Attacks,
    /// Whether everybody is there: beside people, services and agents also partners, customers of the
    /// shop, assistants that act for people, agents that call each other, sloppy clients and scanners;
    /// and, as time goes by, holidays, an outage, new credentials, days at home, who comes and who goes.
    pub whole: bool,
    /// The hour at which the day of attacks and of the deployment ends; `None` for the last hour.
    /// There are no attacks if less than 24 hours lie before it.
    pub day_end_hour: Option<u32>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seed: 1,
            start_s: 1_772_409_600, // 2026-03-02T00:00:00Z, a Monday
            hours: 24,
            people: 220,
            services: 50,
            agents: 40,
            attacks: Attacks::Day,
            whole: false,
            day_end_hour: None,
        }
    }
}

/// The time that a scenario covers, in nanoseconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start_ns: i64,
    /// The end, exclusive.
    pub(crate) end_ns: i64,
    /// Where the day of attacks begins; before the start if there are less than 24 hours until it
    /// ends.
    pub(crate) day_ns: i64,
    /// When new endpoints are deployed: ten hours into the day of attacks.
    pub(crate) deploy_ns: i64,
    /// Whether everybody is there.
    pub(crate) whole: bool,
    /// The day, counted from the epoch, on which nobody works.
    pub(crate) holiday: i64,
    /// The day, counted from the epoch, on which everybody does three times as much.
    pub(crate) peak: i64,
}

impl Span {
    /// How many days it has.
    pub(crate) const fn days(&self) -> i64 {
        (self.end_ns - self.start_ns) / NS_PER_D
    }
}

impl Scenario {
    fn span(&self) -> Span {
        let start_ns = self.start_s.clamp(STARTS_S.0, STARTS_S.1) * NS_PER_S;
        let hours = self.hours.min(HOURS_MAX);
        let end_ns = start_ns + i64::from(hours) * NS_PER_H;
        let day_end = self.day_end_hour.unwrap_or(hours).min(hours);
        let day_ns = start_ns + i64::from(day_end) * NS_PER_H - NS_PER_D;
        // In two weeks there is a day on which nobody works: the second Thursday of a fortnight that
        // begins on a Monday.
        let is_long = self.whole && end_ns - start_ns >= 8 * NS_PER_D;
        let holiday = if is_long { start_ns.div_euclid(NS_PER_D) + 10 } else { i64::MIN };
        let is_peak = self.attacks == Attacks::Case(Case::J);
        let peak = if is_peak { (end_ns - 1).div_euclid(NS_PER_D) } else { i64::MIN };
        let (deploy_ns, whole) = (day_ns + 10 * NS_PER_H, self.whole);
        Span { start_ns, end_ns, day_ns, deploy_ns, whole, holiday, peak }
    }

    fn bounded(&self) -> Self {
        Self {
            people: self.people.min(CAST_MAX),
            services: self.services.min(CAST_MAX),
            agents: self.agents.min(CAST_MAX),
            ..self.clone()
        }
    }
}

/// A scenario that is planned: what will be true of it is known, and no call was made yet.
#[derive(Debug)]
pub struct Traffic {
    seed: u64,
    actors: Vec<Actor>,
    changes: Vec<Change>,
    truth: Truth,
}

impl Traffic {
    /// What will be true of the whole scenario.
    pub const fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Hands the scenario's records to `sink` in time order, until it breaks.
    pub fn run(self, sink: &mut dyn FnMut(&Record) -> ControlFlow<()>) {
        merge(self.seed, self.actors, &self.changes, sink);
    }
}

/// Generates the scenario's records in time order, and says what was in them.
pub fn generate(scenario: &Scenario, sink: &mut dyn FnMut(&Record)) -> Truth {
    let traffic = plan(scenario);
    let truth = traffic.truth.clone();
    traffic.run(&mut |record| {
        sink(record);
        ControlFlow::Continue(())
    });
    truth
}

/// Plans a scenario: who there is, and what goes wrong.
pub fn plan(scenario: &Scenario) -> Traffic {
    let scenario = scenario.bounded();
    let span = scenario.span();
    let mut cast = Cast::new(&scenario, span);
    let raids = match scenario.attacks {
        Attacks::None => Vec::new(),
        Attacks::Day => attacks::plan(scenario.seed, &mut cast, span),
        Attacks::Spread => raids::spread(scenario.seed, &mut cast, span),
        Attacks::Case(case) => {
            cases::plan(case, scenario.seed, &mut cast, span).into_iter().collect()
        }
    };
    let (mut actors, twins) = cast.into_actors();
    let mut attacks = Vec::new();
    let mut changes = change::ordinary(span);
    for raid in raids {
        changes.extend(raid.changes);
        attacks.push(raid.attack);
        actors.extend(raid.actors);
    }
    attacks.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    Traffic { seed: scenario.seed, actors, changes, truth: Truth { attacks, twins } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prng::mix;
    use crate::truth::{Attack, Strength};
    use std::collections::BTreeSet;

    fn small() -> Scenario {
        Scenario { people: 40, services: 12, agents: 20, ..Scenario::default() }
    }

    /// A hash of every byte of the scenario's log.
    fn fingerprint(scenario: &Scenario) -> u64 {
        let (mut hash, mut line) = (0, Vec::new());
        generate(scenario, &mut |record| {
            line.clear();
            crate::kong::write(record, &mut line);
            hash = line.iter().fold(hash, |hash, byte| mix(hash ^ u64::from(*byte)));
        });
        hash
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
        let scenario = Scenario { hours: 24, people: 20, services: 8, agents: 8, ..small() };
        assert_eq!(fingerprint(&scenario), fingerprint(&scenario));
        assert_ne!(fingerprint(&scenario), fingerprint(&Scenario { seed: 2, ..scenario.clone() }));
        assert_eq!(generate(&scenario, &mut |_| {}), generate(&scenario, &mut |_| {}));
    }

    #[test]
    fn records_come_in_time_order_within_the_span_and_each_has_its_own_id() {
        let scenario = Scenario { hours: 30, ..small() };
        let span = scenario.span();
        let (mut last_ns, mut ids, mut count) = (span.start_ns, BTreeSet::new(), 0);
        generate(&scenario, &mut |record| {
            assert!(last_ns <= record.time_ns && record.time_ns < span.end_ns);
            last_ns = record.time_ns;
            ids.insert(record.request_id);
            count += 1;
        });
        assert_eq!(ids.len(), count);
    }

    /// For each attack, its principal's calls within its interval and before it.
    fn calls_of(attacks: &[Attack], scenario: &Scenario) -> Vec<(u32, u32)> {
        let mut counts = vec![(0, 0); attacks.len()];
        generate(scenario, &mut |record| {
            let time_s = record.time_ns as f64 / NS_PER_S as f64;
            for (attack, (within, before)) in attacks.iter().zip(&mut counts) {
                if record.caller.principal() == attack.principal {
                    *within += u32::from((attack.start_s..=attack.end_s).contains(&time_s));
                    *before += u32::from(time_s < attack.start_s);
                }
            }
        });
        counts
    }

    #[test]
    fn every_attack_is_in_the_traffic_by_its_principal_and_in_its_interval() {
        let scenario = small();
        let truth = generate(&scenario, &mut |_| {});
        assert_eq!(truth.attacks.len(), 12);
        let start_s = scenario.start_s as f64;
        let counts = calls_of(&truth.attacks, &scenario);
        for (attack, (within, before)) in truth.attacks.iter().zip(counts) {
            assert!(attack.start_s >= start_s + 12.5 * 3_600.0, "{}", attack.name);
            assert!(attack.end_s <= start_s + 23.0 * 3_600.0, "{}", attack.name);
            assert!(within >= 3, "{} has {within} calls", attack.name);
            // Addresses that fail to authenticate are new; everybody else has a baseline.
            assert_eq!(before == 0, attack.detector == "auth_failures", "{}", attack.name);
        }
        let victims: BTreeSet<_> = truth.attacks.iter().map(|it| &it.principal).collect();
        let twins: BTreeSet<_> = truth.twins.iter().map(|it| &it.principal).collect();
        assert_eq!(victims.len(), truth.attacks.len());
        assert!(victims.is_disjoint(&twins));
        assert_eq!(truth.twins.len(), 4);
        assert!(truth.attacks.iter().any(|it| it.strength == Strength::Loud));
    }

    #[test]
    fn the_day_of_attacks_may_end_before_the_traffic_does() {
        let scenario = Scenario { hours: 30, day_end_hour: Some(24), ..small() };
        let truth = generate(&scenario, &mut |_| {});
        let day_end_s = scenario.start_s as f64 + 24.0 * 3_600.0;
        assert_eq!(truth.attacks.len(), 12);
        assert!(truth.attacks.iter().all(|it| it.end_s < day_end_s), "{truth:?}");
        let early = Scenario { day_end_hour: Some(23), ..scenario };
        assert_eq!(generate(&early, &mut |_| {}).attacks, []);
    }

    #[test]
    fn a_sink_that_has_enough_gets_no_more() {
        let traffic = plan(&small());
        assert_eq!(traffic.truth().attacks.len(), 12);
        let mut count = 0;
        traffic.run(&mut |_| {
            count += 1;
            if count < 10 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert_eq!(count, 10);
    }

    #[test]
    fn a_scenario_without_attacks_has_none_and_a_short_one_too() {
        let quiet = Scenario { attacks: Attacks::None, ..small() };
        let mut refused = 0;
        let truth = generate(&quiet, &mut |record| refused += usize::from(record.status == 401));
        assert_eq!((truth.attacks.len(), truth.twins.len()), (0, 4));
        assert!(refused < 200, "{refused}");
        let short = Scenario { hours: 23, ..small() };
        assert_eq!(generate(&short, &mut |_| {}).attacks, []);
    }

    #[test]
    fn attacks_are_spread_over_the_days_and_no_victim_comes_twice() {
        let whole = Scenario { whole: true, attacks: Attacks::Spread, ..Scenario::default() };
        let scenario = Scenario { hours: 48, people: 120, services: 40, agents: 30, ..whole };
        let truth = generate(&scenario, &mut |_| {});
        assert!(truth.attacks.len() >= 25, "{}", truth.attacks.len());
        let start_s = scenario.start_s as f64;
        let names: BTreeSet<_> = truth.attacks.iter().map(|it| &it.name).collect();
        let victims: BTreeSet<_> = truth.attacks.iter().map(|it| &it.principal).collect();
        assert_eq!((names.len(), victims.len()), (truth.attacks.len(), truth.attacks.len()));
        assert!(truth.attacks.iter().all(|it| it.start_s >= start_s + 24.0 * 3_600.0));
        for strength in Strength::ALL {
            assert!(truth.attacks.iter().any(|it| it.strength == strength), "{strength:?}");
        }
        assert_eq!(truth, generate(&scenario, &mut |_| {}));
    }

    #[test]
    fn every_case_has_its_attack_or_none() {
        for case in Case::ALL {
            let scenario = Scenario {
                hours: 10 * 24,
                people: 60,
                services: 12,
                agents: 15,
                attacks: Attacks::Case(case),
                whole: true,
                ..Scenario::default()
            };
            let is_quiet = matches!(case, Case::D | Case::E | Case::J);
            let traffic = plan(&scenario);
            assert_eq!(traffic.truth.attacks.len(), usize::from(!is_quiet), "{case:?}");
            assert_eq!(Case::from_name(case.as_str()), Some(case));
        }
    }

    #[test]
    fn a_whole_company_has_delegation_sessions_and_records_in_time_order() {
        let whole = Scenario { whole: true, attacks: Attacks::None, ..small() };
        let scenario = Scenario { hours: 30, people: 60, ..whole };
        let (mut last_ns, mut sessions, mut delegated) = (0, BTreeSet::new(), 0);
        generate(&scenario, &mut |record| {
            assert!(last_ns <= record.time_ns);
            last_ns = record.time_ns;
            if let Some(context) = &record.context {
                sessions.insert(context.session.clone());
                delegated += usize::from(!context.actor_chain.is_empty());
            }
        });
        assert!(sessions.len() > 100 && delegated > 100, "{} {delegated}", sessions.len());
    }

    #[test]
    fn people_work_by_day_and_services_through_the_night() {
        let (mut people, mut services) = ([0_u32; 24], [0_u32; 24]);
        let quiet = Scenario { attacks: Attacks::None, ..Scenario::default() };
        generate(&quiet, &mut |record| {
            let hour = (record.time_ns / NS_PER_H % 24) as usize;
            if record.caller.consumer.is_none() {
                return;
            }
            if record.caller.user_agent.starts_with("Mozilla") {
                people[hour] += 1;
            } else if record.caller.client_address.starts_with("10.20.") {
                services[hour] += 1;
            }
        });
        assert!(people[2] * 8 < people[10], "{people:?}");
        assert!(services[2] * 3 > services[10], "{services:?}");
    }

    #[test]
    fn new_endpoints_are_used_by_many_only_after_their_deployment() {
        let scenario = Scenario { attacks: Attacks::None, ..Scenario::default() };
        let (mut users, deploy_ns) = (BTreeSet::new(), scenario.span().deploy_ns);
        generate(&scenario, &mut |record| {
            if record.path.starts_with("/v2/") {
                assert!(record.time_ns >= deploy_ns);
                users.insert(record.caller.principal().to_owned());
            }
        });
        assert!(users.len() > 20, "{}", users.len());
    }

    #[test]
    fn the_demo_has_hundreds_of_identities_and_a_few_hundred_thousand_records() {
        let (mut consumers, mut records) = (BTreeSet::new(), 0);
        generate(&Scenario::default(), &mut |record| {
            records += 1;
            consumers.extend(record.caller.consumer.as_ref().map(|it| it.id.clone()));
        });
        assert!((250_000..400_000).contains(&records), "{records}");
        assert_eq!(consumers.len(), 310);
    }

    #[test]
    fn a_weekend_is_quieter_than_a_workday() {
        let mut days = [0_u32; 7];
        let week =
            Scenario { hours: 7 * 24, attacks: Attacks::None, services: 0, agents: 0, ..small() };
        let start_ns = week.span().start_ns;
        generate(&week, &mut |record| {
            let is_person = record.caller.consumer.is_some();
            days[((record.time_ns - start_ns) / NS_PER_D) as usize] += u32::from(is_person);
        });
        assert!(days[6] * 4 < days[1], "{days:?}");
    }

    #[test]
    fn absurd_numbers_are_held_within_the_limits() {
        let scenario = Scenario { start_s: i64::MIN, hours: 0, people: 0, services: 0, ..small() };
        assert_eq!(generate(&scenario, &mut |_| panic!("no time, no calls")).attacks, []);
        let span = Scenario { start_s: i64::MAX, hours: u32::MAX, ..small() }.span();
        assert!(span.start_ns < span.end_ns);
    }
}
