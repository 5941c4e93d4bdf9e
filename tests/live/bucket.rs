//! Checkpoints in a bucket: written, taken up after a crash, and walked back.

use super::*;

#[test]
fn checkpoints_in_a_bucket_are_taken_up() {
    const TEST: &str = "checkpoints_in_a_bucket_are_taken_up";
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(buckets) = services::buckets(TEST) else { return };
    let lines = log(3);
    let (place, topic) = (Place::new(), topic(kafka, &lines));
    configure(&place, kafka, &topic);
    let bucket = topic.replace('_', "-");
    buckets.make(&bucket);
    let path = place.path("habitus.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}checkpoints = \"s3://{bucket}/of/habitus\"\n")).unwrap();
    let environment = buckets.environment();
    let held = [environment.clone(), vec![("HABITUS_HOLD_AT".to_owned(), "committed".to_owned())]];
    let mut child = start_with(&place, &held.concat());
    wait_for(&mut child, "held at committed");
    child.kill().unwrap();
    child.wait().unwrap();
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
    let mut child = start_with(&place, &wrong);
    let said = said_until_end(&mut child);
    assert!(said.contains("checkpoints in state/"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    let mut child = start_with(&place, &environment);
    wait_for(&mut child, "taking up checkpoint");
    wait_until_read(kafka, &topic, lines.len() as i64);
    stop(&mut child);
    assert_eq!(findings(&place), replayed(&lines));
    // The committed one is taken away: an older one is there.
    let metadata = kafka.committed(&topic, &topic)[0].metadata.clone();
    let key = metadata.split('|').nth(1).unwrap();
    buckets.remove(&bucket, &format!("of/habitus/{key}"));
    let mut child = start_with(&place, &environment);
    wait_for(&mut child, "taking up checkpoint");
    stop(&mut child);
    assert_eq!(findings(&place), replayed(&lines));
    assert!(!place.path("store/checkpoints").exists(), "nothing is kept beside the bucket");
}

/// All that a process says until it ends by itself, with exit code 1.
fn said_until_end(child: &mut Child) -> String {
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        said += &line.unwrap();
        said.push('\n');
    }
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    said
}
