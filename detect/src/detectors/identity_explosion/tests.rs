//! The hour and what is beyond the budget, as partitions note them.

use super::*;

fn firsts(second: i64, kind: PrincipalType, count: u64) -> Firsts {
    let mut firsts = Firsts::default();
    let (batch, event) = (model::EventBatch::default(), model::Event::at(at(second)));
    (0..count).for_each(|_| firsts.add(kind, (&batch, &event)));
    firsts
}

fn at(second: i64) -> Time {
    Time::from_ns(second * 1_000_000_000)
}

fn spilt(second: i64, calls: u64, identities: u64) -> Firsts {
    let mut firsts = firsts(second, PrincipalType::Ip, 0);
    let (batch, event) = (model::EventBatch::default(), model::Event::at(at(second)));
    firsts.add_beyond((&batch, &event));
    firsts.spill = Some(Spill { since: at(0), last: at(second), calls, identities });
    firsts
}

#[test]
fn the_hour_counts_who_got_a_place_and_who_did_not() {
    let mut newcomers = Newcomers::default();
    newcomers.take(at(0), vec![firsts(5, PrincipalType::User, 3), spilt(7, 40, 30)]);
    newcomers.take(at(0), vec![firsts(65, PrincipalType::Ip, 2), spilt(66, 60, 45)]);
    assert_eq!(newcomers.hour.count(), 3 + 2 + 45);
    assert_eq!((newcomers.hour.first, newcomers.hour.last), (Some(at(5)), at(66)));
    let names: Vec<_> = newcomers.hour.contributors().into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["{overflow}", "user", "ip"]);
    assert_eq!(newcomers.hour.busiest, 4, "the first minute");
    assert_eq!(newcomers.hour.evidence.len(), 4);
}

#[test]
fn what_a_partition_counted_before_it_began_anew_stays_counted() {
    let mut newcomers = Newcomers::default();
    newcomers.take(at(0), vec![spilt(1, 40, 30)]);
    let mut anew = spilt(2, 5, 4);
    anew.spill = anew.spill.map(|it| Spill { since: at(2), ..it });
    newcomers.take(at(0), vec![anew]);
    let beyond = newcomers.beyond();
    assert_eq!((beyond.calls, beyond.identities), (45, 34));
}
