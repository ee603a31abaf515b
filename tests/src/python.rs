//! Python with pyarrow: the independent client and server of the Flight tests.

use std::process::Command;

use crate::root;

/// A command that runs a script of `tests/python`. `SOAK_TEST_PYTHON` names the interpreter; `ci/test` prepares one with pyarrow.
pub fn python(script: &str) -> Command {
    let prepared = root().join("target/venv/bin/python");
    let interpreter = std::env::var_os("SOAK_TEST_PYTHON").map_or(prepared, Into::into);
    assert!(
        interpreter.exists(),
        "no Python at {}: run ci/test, or set SOAK_TEST_PYTHON to one that has pyarrow",
        interpreter.display()
    );
    let mut command = Command::new(interpreter);
    command.arg(root().join("tests/python").join(script));
    command
}
