//! Replicas: one load over several containers, one record of them all, and a cascade where one death follows another.

use soak_tests::{image, turn};

use crate::run::run;

const TWO: &str = "target.container.replicas=2";

#[test]
fn replicas_share_one_load_and_one_record() {
    let Some(image) = image() else { return };
    let _turn = turn();
    let edits = [TWO, "workload.vectors_per_cycle={default=6000}"];
    let judged = run(&format!("container:{image}"), &edits);
    assert_eq!(judged.ended.code, 0, "{}\n{}", judged.ended.stdout, judged.ended.stderr);
    let cascade = judged.finding(0, "oom_cascade");
    assert_eq!((&cascade["value"], &cascade["verdict"]), (&0.0.into(), &"pass".into()), "{cascade:#}");
    // What was put is spread over both, found again in both, and each is asked for its settings.
    let recall = judged.events("recall")[0]["recall"].as_f64().unwrap();
    assert!(recall > 0.9, "{recall}");
    let gogc = judged.events("attested").into_iter().find(|event| event["knob"] == "gogc").unwrap();
    assert_eq!(gogc["holds"], true, "{gogc:#}");
}

#[test]
fn replicas_that_die_one_after_the_other_are_a_cascade() {
    let Some(image) = image() else { return };
    let _turn = turn();
    let edits = [
        TWO,
        "matrix.memory_limit=[\"40MiB\"]",
        "matrix.batch_rows=[2048]",
        "workload.vectors_per_cycle={default=24000}",
    ];
    let judged = run(&format!("container:{image}"), &edits);
    assert_eq!(judged.ended.code, 1, "{}\n{}", judged.ended.stdout, judged.ended.stderr);
    let kills = judged.events("oom");
    assert_eq!(kills.len(), 2, "{kills:#?}");
    assert!(kills.iter().all(|kill| kill["scope"] == "target"), "{kills:#?}");
    assert_ne!(kills[0]["cgroup"], kills[1]["cgroup"]);
    let cascade = judged.finding(0, "oom_cascade");
    assert_eq!((&cascade["value"], &cascade["verdict"]), (&2.0.into(), &"fail".into()), "{cascade:#}");
    assert!(cascade["next"].as_str().unwrap().contains("Complete OOMKilled cascade across replicas"), "{cascade:#}");
}
