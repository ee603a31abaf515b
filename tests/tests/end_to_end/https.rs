//! HTTPS with a private authority: a store that speaks it is run, and each way in which it cannot be is told with what to change.

use std::path::Path;
use std::process::Command;

use soak_tests::{Authority, Ended, Judged, ServerFiles, binary, scenario, soak, turn};

/// The built-in profile of Qdrant, over HTTPS with this authority.
fn profile(folder: &Path, files: &ServerFiles, tls: &str) -> String {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let server = format!(
        "[launch.env]\nQDRANT__SERVICE__ENABLE_TLS = \"true\"\nQDRANT__TLS__CERT = \"{certificate}\"\nQDRANT__TLS__KEY = \"{key}\"\n"
    );
    let text = soak(&["export", "profile", "qdrant"]).stdout.replace("name = \"qdrant\"", "name = \"mine\"");
    assert!(text.contains("[launch.env]\n"), "{text}");
    let file = folder.join("mine.toml");
    std::fs::write(&file, text.replace("[launch.env]\n", &server) + tls).unwrap();
    file.display().to_string()
}

fn command(folder: &Path, profile: &str) -> (Command, std::path::PathBuf) {
    let out = folder.join("run");
    let profile = format!("target.profile={profile}");
    let mut command = scenario("scenario1", &out, &[&profile, "matrix.gogc=[75]", "deadlines.boot=2s"]);
    let program = binary().with_file_name("soak-stand-in");
    command.args(["--smoke", "--target", &format!("process:{}", program.display())]);
    (command, out)
}

#[test]
fn a_store_with_a_certificate_of_a_private_authority_is_run() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "ca");
    let files = authority.certify("127.0.0.1");
    // Relative to the profile's file.
    let (command, out) = command(folder.path(), &profile(folder.path(), &files, "\n[tls]\nca_file = \"ca.pem\"\n"));
    let judged = Judged::of(command, &out);
    assert_eq!(judged.ended.code, 0, "{}{}", judged.ended.stdout, judged.ended.stderr);
    for words in ["✓ rows: 1126 of 1126", "✓ metrics page", "✓ settings: 4 of 4"] {
        assert!(judged.ended.stdout.contains(words), "{words} is not in {}", judged.ended.stdout);
    }
}

#[test]
fn what_is_wrong_with_https_is_told_with_what_to_change() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (mine, other) = (Authority::new(folder.path(), "ca"), Authority::new(folder.path(), "other"));
    let trusted = "\n[tls]\nca_file = \"ca.pem\"\n";
    let cases = [
        (mine.certify_expired("127.0.0.1"), trusted, "the server's certificate expired"),
        (other.certify("127.0.0.1"), trusted, "is not signed by an authority in"),
        (mine.certify("store.example"), trusted, "is not for 127.0.0.1; set tls.server_name"),
        // The server speaks HTTPS, and the profile does not say so.
        (mine.certify("127.0.0.1"), "", "a TLS record came; the server speaks HTTPS: add [tls]"),
    ];
    for (files, tls, words) in cases {
        let case = tempfile::tempdir_in(folder.path()).unwrap();
        std::fs::copy(&mine.file, case.path().join("ca.pem")).unwrap();
        let (mut command, _) = command(case.path(), &profile(case.path(), &files, tls));
        let ended = Ended::from(command.output().unwrap());
        let told = format!("{}{}", ended.stdout, ended.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(words), "{words} is not in {told}");
        assert_eq!(ended.code, 4, "{told}");
    }
    // And the other way round: the profile says HTTPS, and the server speaks HTTP.
    let case = tempfile::tempdir_in(folder.path()).unwrap();
    std::fs::copy(&mine.file, case.path().join("ca.pem")).unwrap();
    let mine = profile(case.path(), &mine.certify("127.0.0.1"), trusted);
    let text = std::fs::read_to_string(&mine).unwrap().replace("ENABLE_TLS = \"true\"", "ENABLE_TLS = \"false\"");
    std::fs::write(&mine, text).unwrap();
    let (mut command, _) = command(case.path(), &mine);
    let ended = Ended::from(command.output().unwrap());
    let told = format!("{}{}", ended.stdout, ended.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("expected HTTPS from 127.0.0.1:"), "{told}");
    assert_eq!(ended.code, 4, "{told}");
}

#[test]
fn an_authority_that_cannot_be_read_is_the_commands_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "ca");
    let files = authority.certify("127.0.0.1");
    let mine = profile(folder.path(), &files, "\n[tls]\nca_file = \"nowhere.pem\"\n");
    let load = ["load", "--target", "https://127.0.0.1:1", "--profile", &mine, "--dim", "8", "--duration", "1s"];
    let ended = soak(&load);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("tls.ca_file") && ended.stderr.contains("nowhere.pem"), "{}", ended.stderr);
}
