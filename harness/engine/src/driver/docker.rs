//! The connection to Docker, and what is asked of it beside starting containers: images, lists, removal.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::query_parameters::{
    BuildImageOptionsBuilder, CreateImageOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::bollard::{Docker, body_full};

use super::container::name_and_tag;
use crate::residue::RUN_LABEL;

/// Docker that runs answers at once.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// An image is built or pulled in this time, or not at all.
const IMAGE_WITHIN: Duration = Duration::from_secs(600);

/// A build's context is held in memory once.
const CONTEXT_BYTES_MAX: u64 = 1 << 30;

/// Lines of a failed build that are shown.
const BUILD_LINES: usize = 12;

/// Where Docker is asked for: `$DOCKER_HOST`, or the usual socket.
pub(crate) fn address() -> String {
    let host = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
    host.unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned())
}

/// Connects, and agrees on a version of the interface.
pub(crate) async fn connect() -> Result<Docker, String> {
    connect_to(&address()).await
}

async fn connect_to(place: &str) -> Result<Docker, String> {
    let cannot = |why: &dyn std::fmt::Display| {
        format!(
            "cannot reach Docker at {place}: {why}; start Docker Engine (`soak doctor` says how), or set DOCKER_HOST"
        )
    };
    let docker = Docker::connect_with_host(place).map_err(|error| cannot(&error))?;
    match tokio::time::timeout(ANSWER_WITHIN, docker.negotiate_version()).await {
        Ok(docker) => docker.map_err(|error| cannot(&in_words(&error))),
        Err(_) => Err(cannot(&format!("no answer within {} s", ANSWER_WITHIN.as_secs()))),
    }
}

/// Docker's own words, without what the client wraps around them.
pub(crate) fn in_words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        other => {
            let mut text = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(inner) = source {
                if !text.contains(&inner.to_string()) {
                    text = format!("{text}: {inner}");
                }
                source = inner.source();
            }
            text
        }
    }
}

/// Ids of the containers that carry this run's id, running or not, on the Docker at an address.
pub(crate) async fn of_run(address: &str, run: &str) -> Result<Vec<String>, String> {
    let docker = connect_to(address).await?;
    let filters = HashMap::from([("label", vec![format!("{RUN_LABEL}={run}")])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let found = docker.list_containers(Some(options)).await.map_err(|error| in_words(&error))?;
    Ok(found.into_iter().filter_map(|container| container.id).collect())
}

/// Removes a container and its volumes, running or not. One that is gone already is well.
pub(crate) async fn remove(address: &str, id: &str) -> Result<(), String> {
    let docker = connect_to(address).await?;
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match docker.remove_container(id, Some(options)).await {
        Ok(()) | Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
        Err(error) => Err(in_words(&error)),
    }
}

/// Makes sure that the image is there: built from its folder, or found, or pulled.
pub(crate) async fn provide(docker: &Docker, image: &str, build: Option<&str>) -> Result<(), String> {
    let provided = async {
        match build {
            Some(folder) => build_image(docker, image, Path::new(folder)).await,
            None => find_or_pull(docker, image).await,
        }
    };
    let provided = tokio::time::timeout(IMAGE_WITHIN, provided).await;
    provided.unwrap_or_else(|_| Err(format!("the image {image} was not there within {} s", IMAGE_WITHIN.as_secs())))
}

async fn find_or_pull(docker: &Docker, image: &str) -> Result<(), String> {
    match docker.inspect_image(image).await {
        Ok(_) => return Ok(()),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => {}
        Err(error) => return Err(format!("cannot look for the image {image}: {}", in_words(&error))),
    }
    // Without a tag all of them would be pulled.
    let (name, tag) = name_and_tag(image);
    let options = CreateImageOptionsBuilder::default().from_image(&format!("{name}:{tag}")).build();
    finished(docker.create_image(Some(options), None, None), |_| None).await.map_err(|why| {
        format!("there is no image {image} here, and it cannot be pulled: {why}; build it, or check its name")
    })
}

async fn build_image(docker: &Docker, image: &str, folder: &Path) -> Result<(), String> {
    let (path, name) = (folder.to_owned(), image.to_owned());
    let packed = tokio::task::spawn_blocking(move || context(&path)).await;
    let context = packed.map_err(|error| format!("cannot pack what {name} is built from: {error}"))??;
    let options = BuildImageOptionsBuilder::new().t(image).rm(true).forcerm(true).build();
    let building = docker.build_image(options, None, Some(body_full(context)));
    finished(building, |info| info.stream)
        .await
        .map_err(|why| format!("cannot build the image {image} from {}: {why}", folder.display()))
}

/// Follows Docker's answer to its end. `line` picks what a person may want to see of it, should it fail.
async fn finished<T>(
    answer: impl Stream<Item = Result<T, Error>>,
    line: impl Fn(T) -> Option<String>,
) -> Result<(), String> {
    let mut answer = std::pin::pin!(answer);
    let mut lines: Vec<String> = Vec::new();
    while let Some(step) = answer.next().await {
        match step {
            Ok(step) => lines.extend(line(step).map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())),
            Err(error) => {
                lines.drain(..lines.len().saturating_sub(BUILD_LINES));
                lines.push(in_words(&error));
                return Err(lines.join("\n  "));
            }
        }
    }
    Ok(())
}

/// The folder as a tar archive.
fn context(folder: &Path) -> Result<Bytes, String> {
    let cannot =
        |why: &dyn std::fmt::Display| format!("cannot read the folder {} to build from: {why}", folder.display());
    if !folder.join("Dockerfile").is_file() {
        return Err(cannot(&"it has no Dockerfile"));
    }
    let bytes = size_of(folder).map_err(|error| cannot(&error))?;
    if bytes > CONTEXT_BYTES_MAX {
        return Err(cannot(&format!("it holds {bytes} bytes, and at most {CONTEXT_BYTES_MAX} are sent to Docker")));
    }
    let mut archive = tar::Builder::new(Vec::with_capacity(bytes as usize));
    archive.follow_symlinks(false);
    archive.append_dir_all(".", folder).map_err(|error| cannot(&error))?;
    archive.into_inner().map(Bytes::from).map_err(|error| cannot(&error))
}

fn size_of(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size_of(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
