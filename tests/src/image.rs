//! Images made from programs that this workspace has built, with the libraries that they need: no image can be pulled where the tests run.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::binary;
use crate::tools::image;

/// An image of the stand-in that declares a volume, as Longbow's image does. `None`, with a message, where Docker is missing.
pub fn stand_in_image() -> Option<String> {
    image()?;
    let program = binary().with_file_name("soak-stand-in");
    let context = tempfile::tempdir().unwrap();
    let root = context.path().join("root");
    for library in libraries(&program) {
        copy(&library, &root);
    }
    std::fs::create_dir_all(&root).unwrap();
    std::fs::copy(&program, root.join("server")).unwrap();
    let dockerfile = "FROM scratch\nCOPY root /\nVOLUME /data\nENV GOGC=75\nENTRYPOINT [\"/server\"]\n";
    std::fs::write(context.path().join("Dockerfile"), dockerfile).unwrap();
    let name = "soak-stand-in:local";
    let built = Command::new("docker")
        .args(["build", "--quiet", "--tag", name])
        .arg(context.path())
        .env("DOCKER_BUILDKIT", "0")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Some(name.to_owned())
}

/// The shared libraries of a program and its loader, by their paths on this machine.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let listed = Command::new("ldd").arg(program).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

fn copy(file: &Path, root: &Path) {
    let to = root.join(file.strip_prefix("/").unwrap());
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(file, &to).unwrap();
    std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o755)).unwrap();
}
