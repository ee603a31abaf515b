//! GOGC on a real Go runtime: the heap peaks where the formula says, and a setting that did not take effect never passes.

use serde_json::Value;
use soak_tests::{Judged, alone, image, turn};

use crate::run::run;

/// Bytes of heap for each live byte at the peaks, lowest and highest, as the finding's sentence has them.
fn band(judged: &Judged, variant: usize) -> [f64; 2] {
    let reason = judged.finding(variant, "heap_goal")["reason"].as_str().unwrap();
    let (_, after) = reason.split_once("for each live byte (").unwrap_or_else(|| panic!("no band in: {reason}"));
    let (band, _) = after.split_once(')').unwrap();
    let (low, high) = band.split_once(" to ").unwrap();
    [low.parse().unwrap(), high.parse().unwrap()]
}

#[test]
fn heap_peaks_follow_gogc_as_the_formula_says() {
    let Some(image) = image() else { return };
    let _turn = alone();
    let target = format!("container:{image}");
    let judged = run(&target, &["matrix.gogc=[10,100]", "workload.query.duration=4s"]);
    assert_eq!(judged.ended.code, 0, "{}\n{}", judged.ended.stdout, judged.ended.stderr);
    for (variant, other) in [(0, "GOGC 100"), (1, "GOGC 10")] {
        let goal = judged.finding(variant, "heap_goal");
        assert_eq!(goal["verdict"], "pass", "{goal:#}");
        assert!(goal["value"].as_f64().unwrap() <= 0.25, "{goal:#}");
        let told = format!("The band is apart from that of {other} (");
        assert!(goal["reason"].as_str().unwrap().contains(&told), "{goal:#}");
        let unexplained = judged.finding(variant, "unexplained_memory");
        assert!(unexplained["value"].as_f64().unwrap() <= 0.05, "{unexplained:#}");
    }
    let ([_, ten_high], [hundred_low, _]) = (band(&judged, 0), band(&judged, 1));
    assert!(ten_high < hundred_low, "the bands of GOGC 10 and 100 are apart: {ten_high} and {hundred_low}");
}

#[test]
fn a_setting_that_did_not_take_effect_does_not_pass() {
    let Some(image) = image() else { return };
    let _turn = turn();
    // An image that overrides what it is told, as a tuner inside a store does; built from a folder by the run itself.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Dockerfile"), format!("FROM {image}\nENV SOAK_TARGET_KEEP_GOGC=50\n")).unwrap();
    let build = format!("target.container.build={}", folder.path().display());
    let judged = run("container:soak-test-keeps-gogc:local", &["target.profile=go", &build]);
    assert_eq!(judged.ended.code, 3, "{}\n{}", judged.ended.stdout, judged.ended.stderr);
    assert!(judged.with("fail").is_empty() && judged.with("pass").is_empty(), "{:#}", judged.verdict);
    let gogc: &Value = &judged.verdict["variants"][0]["attested"]["gogc"];
    assert_eq!((&gogc["requested"], &gogc["effective"]), (&"75".into(), &"50".into()), "{gogc:#}");
    soak_tests::docker(&["rmi", "--force", "soak-test-keeps-gogc:local"]);
}
