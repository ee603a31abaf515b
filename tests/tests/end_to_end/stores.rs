//! Vector stores that speak HTTP: real ones where they are at hand, and stand-ins for what a real one cannot be made to do.

use std::path::Path;
use std::process::Command;

use soak_tests::{Ended, FreePort, Judged, Running, binary, chroma, scenario, turn, until, weaviate};

/// The variable in which the API key of these tests stands.
pub(crate) const KEY_OF: &str = "SOAK_TEST_API_KEY";
pub(crate) const KEY: &str = "hunter22-hunter22";

/// A store by column, which the built-in profiles do not cover: errors within answers of status 200, by row, and an API key.
pub(crate) const COLUMNS: &str = r#"
name = "columns"
title = "A store that takes batches by column"
protocol = "http"

[launch]
args = ["columns", "--addr", "{http_addr}", "--api-key-of", "SOAK_TEST_API_KEY"]

[requests]
ids = "uuid"
headers = { api-key = "{env:SOAK_TEST_API_KEY}" }

[requests.create_collection]
call = "POST /collections"
body = '{"name":"{collection}","dim":{dim},"m":{hnsw_m},"ef":{ef_construction}}'
value = "/id"

[requests.drop_collection]
call = "DELETE /collections/{collection}"

[requests.create]
call = "POST /collections/{collection_id}/add"
body = '{"ids":[{ids}],"vectors":[{vectors}]}'
row_errors = "/results/*/error"
replaces = true

[requests.search]
call = "POST /collections/{collection_id}/search"
body = '{"vector":{vector},"k":{k}}'
errors = "/errors"
found_ids = "/ids/0/*"
distances = "/distances/0/*"

[requests.delete]
call = "POST /collections/{collection_id}/delete"
body = '{"ids":["{id}"]}'

[requests.list]
call = "POST /collections/{collection_id}/ids"
body = '{"offset":{offset},"limit":{limit}}'
found_ids = "/ids/*"
limit = 100

[endpoints]
ready = "GET /readyz"
metrics = "GET /metrics"

[series]
live_vectors = "collections_vector_total"

[attest]
dim = "GET /collections/{collection_id} /dim"
hnsw_m = "GET /collections/{collection_id} /m"
ef_construction = "GET /collections/{collection_id} /ef"
"#;

/// A smoke run of a program by a profile, and what it wrote.
fn smoke(out: &Path, (program, profile): (&str, &str), edits: &[&str]) -> (Ended, Judged) {
    let profile = format!("target.profile={profile}");
    let mut command = scenario("scenario1", out, &[&[profile.as_str(), "matrix.gogc=[75]"], edits].concat());
    command.args(["--smoke", "--target", &format!("process:{program}")]).env(KEY_OF, KEY);
    let judged = Judged::of(command, out);
    (judged.ended.clone(), judged)
}

/// Asserts that a store answered everything that its profile names, and found the nearest.
#[track_caller]
fn assert_wired(ended: &Ended, settings: u32) {
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let settings = format!("✓ settings: {settings} of {settings}");
    for words in [settings.as_str(), "✓ rows: 1126 of 1126", "✓ searches", "✓ neighbours", "✓ deletes: 286 rows"]
    {
        assert!(ended.stdout.contains(words), "{words} is not in {}", ended.stdout);
    }
}

fn stand_in() -> String {
    binary().with_file_name("soak-stand-in").display().to_string()
}

#[test]
fn weaviate_is_loaded_searched_and_read_back() {
    let Some(program) = weaviate() else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (ended, judged) = smoke(&folder.path().join("run"), (&program, "weaviate"), &[]);
    assert_wired(&ended, 6);
    for words in ["has all 16 series", "✓ task dump", "✓ heap profile"] {
        assert!(ended.stdout.contains(words), "{words} is not in {}", ended.stdout);
    }
    assert_eq!(judged.verdict["variants"][0]["attested"]["gogc"]["effective"], "75");
}

#[test]
fn chroma_is_loaded_searched_and_read_back() {
    let Some(program) = chroma() else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (ended, _) = smoke(&folder.path().join("run"), (&program, "chroma"), &[]);
    assert_wired(&ended, 4);
}

#[test]
fn qdrants_rest_description_is_followed() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (ended, _) = smoke(&folder.path().join("run"), (&stand_in(), "qdrant"), &[]);
    assert_wired(&ended, 4);
}

#[test]
fn rows_that_are_refused_in_an_answer_that_succeeds_are_counted_one_by_one() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("columns.toml");
    std::fs::write(&profile, COLUMNS.replace("\"--api-key-of\"", "\"--refuse-every\", \"100\", \"--api-key-of\""))
        .unwrap();
    let (ended, judged) = smoke(&folder.path().join("run"), (&stand_in(), &profile.display().to_string()), &[]);
    let ingested = judged.events("ingested");
    assert!(!ingested.is_empty(), "{}{}", ended.stdout, ended.stderr);
    for event in ingested {
        let rows = |key: &str| event[key].as_u64().unwrap();
        assert!((5..=6).contains(&rows("refused_rows")), "{event}");
        assert_eq!(rows("acked_rows") + rows("refused_rows"), rows("rows"), "{event}");
        assert_eq!(rows("indeterminate_rows"), 0, "{event}");
    }
    assert!(ended.stdout.contains("neighbours: 100.0 %"), "{}", ended.stdout);
}

#[test]
fn an_api_key_is_sent_and_recorded_nowhere() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (profile, out) = (folder.path().join("columns.toml"), folder.path().join("run"));
    std::fs::write(&profile, COLUMNS).unwrap();
    let named = profile.display().to_string();
    let (ended, _) = smoke(&out, (&stand_in(), &named), &[]);
    assert_wired(&ended, 4);
    let found = Command::new("grep").args(["-rl", KEY]).arg(&out).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "the key is in these files");
    // A key that the server does not take, and quotes in its answer.
    std::fs::write(&profile, COLUMNS.replace("{env:SOAK_TEST_API_KEY}", "x{env:SOAK_TEST_API_KEY}")).unwrap();
    let out = folder.path().join("refused");
    let (ended, _) = smoke(&out, (&stand_in(), &named), &["deadlines.boot=1s"]);
    let told = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("401 Unauthorized") && told.contains("***"), "{told}");
    assert!(!ended.stdout.contains(KEY), "{}", ended.stdout);
    // No key at all.
    std::fs::write(&profile, COLUMNS.replace("{env:SOAK_TEST_API_KEY}", "{env:SOAK_TEST_NO_SUCH_KEY}")).unwrap();
    let (ended, _) = smoke(&folder.path().join("none"), (&stand_in(), &named), &[]);
    let told = format!("{}{}", ended.stdout, ended.stderr);
    assert!(told.contains("SOAK_TEST_NO_SUCH_KEY, which is not set"), "{told}");
}

#[test]
fn a_diagnosis_sends_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("columns.toml");
    std::fs::write(&profile, COLUMNS).unwrap();
    let port = FreePort::find().unwrap();
    let addr = port.addr().to_string();
    let mut server = Command::new(stand_in());
    server.args(["columns", "--addr", &addr, "--api-key-of", KEY_OF]).env(KEY_OF, KEY);
    let _server = Running::start(&mut server);
    until("the store listens", || std::net::TcpStream::connect(&addr).ok());
    let diag = |key: &str, out: &str| -> Ended {
        let mut command = Command::new(binary());
        command.args(["diag", "--http", &addr, "--seconds", "1", "--out", out, "--profile"]).arg(&profile);
        command.current_dir(folder.path()).env(KEY_OF, key).output().unwrap().into()
    };
    let ended = diag(KEY, "good.tar.gz");
    assert!(ended.code == 0 && !ended.stdout.contains("401"), "{}{}", ended.stdout, ended.stderr);
    let ended = diag("another-key", "bad.tar.gz");
    let told = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("401 Unauthorized") && told.contains("[requests] headers"), "{told}");
    assert!(!told.contains("another-key"), "the key is not told: {told}");
}
