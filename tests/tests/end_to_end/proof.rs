//! What a run shows of its own sight: the positive control of a run, and a proof.

use serde_json::Value;
use soak_tests::{alone, soak};

use crate::small::run;

#[test]
fn a_control_leaks_on_purpose_and_is_found() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let judged = run(&folder.path().join("run"), &["control=true"]);
    assert_eq!((judged.ended.code, judged.with("fail").len()), (0, 0), "{:#}", judged.verdict);
    let variants = judged.verdict["variants"].as_array().unwrap();
    assert_eq!(variants.len(), 2);
    assert!(variants[0].get("dose").is_none());
    let dose = &variants[1]["dose"];
    let tolerances = dose["tolerances"].as_f64().unwrap();
    assert!((1.99..4.01).contains(&tolerances), "{dose:#}");
    for id in ["rss_floor", "heap_floor"] {
        let seen = &dose["answers"][id];
        assert_eq!(seen["verdict"], "fail", "{id}: {dose:#}");
        let ratio = seen["value"].as_f64().unwrap() / dose["bytes_per_cycle"].as_f64().unwrap();
        assert!((0.7..1.4).contains(&ratio), "{id} measured {ratio} of what was put in");
    }
    assert_eq!(judged.finding(1, "control")["verdict"], "pass");
    let page = std::fs::read_to_string(folder.path().join("run/report.html")).unwrap();
    assert!(
        page.contains("was put in on purpose") && page.contains("1 variant and a control"),
        "the report tells of it"
    );
}

#[test]
fn a_proof_puts_in_leaks_of_known_sizes_and_tells_what_was_found() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("proof");
    let out = out.to_str().unwrap();
    // One round: too little to prove anything, and said so.
    let ended = soak(&["prove", "--within", "1s", "--out", out, "--format", "json"]);
    let proof = ended.json();
    assert_eq!((ended.code, &proof["verdict"]), (3, &"inconclusive".into()), "{proof:#}");
    assert_eq!((&proof["rounds"], proof["trials"].as_array().unwrap().len()), (&1.into(), 10));
    for criterion in proof["criteria"].as_array().unwrap() {
        let row = |at: usize, answer: &str| criterion["table"][at][answer]["count"].as_u64().unwrap();
        assert_eq!((row(0, "fail"), row(2, "pass")), (0, 0), "nothing is answered wrongly: {criterion:#}");
        assert_eq!(row(2, "fail"), 2, "two and four tolerances are found: {criterion:#}");
    }
    let written: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("proof/proof.json")).unwrap()).unwrap();
    assert_eq!(written, proof);
    // Each round is a run like any other.
    let again = soak(&["judge", &format!("{out}/round-01"), "--format", "json"]);
    assert_eq!(again.json()["variants"].as_array().unwrap().len(), 5, "{}", again.stderr);
    let refused = soak(&["prove", "--target", "attach:pid=1", "--out", &format!("{out}-2")]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("cannot be told to leak"), "{}", refused.stderr);
}
