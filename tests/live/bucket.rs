//! Checkpoints in a bucket: written, taken up after a crash, and walked back.

use super::*;

#[test]
fn checkpoints_in_a_bucket_are_taken_up() {
    const TEST: &str = "checkpoints_in_a_bucket_are_taken_up";
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(buckets) = services::buckets(TEST) else { return };
    let lines = log(9);
    let (place, topic) = (Place::new(), topic(kafka, &lines));
    configure(&place, kafka, &topic, "");
    let bucket = topic.replace('_', "-");
    buckets.make(&bucket);
    let path = place.path("habitus.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}checkpoints = \"s3://{bucket}/of/habitus\"\n")).unwrap();
    let environment = buckets.environment();
    let held = [environment.clone(), vec![("HABITUS_HOLD_AT".to_owned(), "committed".to_owned())]];
    let mut service = Service::start_in(&place, &held.concat());
    service.wait_for("held at committed");
    service.kill();
    let listing = buckets.listing(&bucket);
    assert!(listing.contains("of/habitus/state/"), "{listing}");
    // Without the secret it cannot, and the secret is in no message.
    let wrong: Vec<_> = environment
        .iter()
        .map(|(name, value)| {
            let nowhere = if name == "AWS_ENDPOINT" { "http://127.0.0.1:1" } else { value };
            (name.clone(), nowhere.to_owned())
        })
        .collect();
    let (code, said) = Service::start_in(&place, &wrong).ended();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("checkpoints in state/"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    let mut service = Service::start_in(&place, &environment);
    service.wait_for("taking up checkpoint");
    wait_until_read(kafka, &topic, lines.len() as i64);
    service.stop();
    assert_eq!(findings(&place, "store", BEFORE_THE_END), replayed(&lines));
    // The committed one is taken away: an older one is there.
    let metadata = kafka.committed(&topic, &topic)[0].metadata.clone();
    let key = metadata.split('|').nth(1).unwrap();
    buckets.remove(&bucket, &format!("of/habitus/{key}"));
    let mut service = Service::start_in(&place, &environment);
    service.wait_for("taking up checkpoint");
    service.stop();
    assert_eq!(findings(&place, "store", BEFORE_THE_END), replayed(&lines));
    assert!(!place.path("store/checkpoints").exists(), "nothing is kept beside the bucket");
}
