//! Headers whose values are secret: read when a run begins, sent with every request, and written nowhere.

use std::collections::BTreeMap;
use std::fmt;

use hyper::header::{HeaderName, HeaderValue};

/// Shorter values are no secrets that could be told from any other text.
const SECRET_CHARS_MIN: usize = 4;

/// The headers of every request.
#[derive(Clone, Default)]
pub struct Headers {
    all: Vec<(HeaderName, HeaderValue)>,
    secrets: Vec<String>,
}

impl fmt::Debug for Headers {
    /// Names alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.iter().map(|(name, _)| name)).finish()
    }
}

/// Why a header cannot be sent. The value stands in none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A variable is not set.
    #[error(
        "the header `{header}` needs the environment variable {variable}, which is not set: export it before the run"
    )]
    NoVariable {
        /// Name of the header.
        header: String,
        /// Name of the variable.
        variable: String,
    },
    /// A file cannot be read.
    #[error("the header `{header}` needs the file {path}: {why}")]
    NoFile {
        /// Name of the header.
        header: String,
        /// Path of the file.
        path: String,
        /// What the system says.
        why: String,
    },
    /// HTTP does not allow it.
    #[error("the header `{header}` cannot be sent: its name or its value has a character that HTTP does not allow")]
    Unfit {
        /// Name of the header.
        header: String,
    },
}

impl Headers {
    /// Reads the secrets of a profile's headers: `{env:NAME}` and `{file:PATH}`.
    pub fn read(templates: &BTreeMap<String, String>) -> Result<Self, HeaderError> {
        let mut headers = Self::default();
        for (header, template) in templates {
            let value = headers.fill(header, template)?;
            let unfit = || HeaderError::Unfit { header: header.clone() };
            let name = HeaderName::from_bytes(header.as_bytes()).map_err(|_| unfit())?;
            let mut value = HeaderValue::from_str(&value).map_err(|_| unfit())?;
            value.set_sensitive(true);
            headers.all.push((name, value));
        }
        Ok(headers)
    }

    fn fill(&mut self, header: &str, template: &str) -> Result<String, HeaderError> {
        let mut value = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (place, after) = after.split_once('}').unwrap_or((after, ""));
            let secret = secret(header, place)?;
            value.push_str(before);
            value.push_str(&secret);
            if secret.chars().count() >= SECRET_CHARS_MIN {
                self.secrets.push(secret);
            }
            rest = after;
        }
        Ok(value + rest)
    }

    /// Adds them to a request.
    pub(crate) fn add_to(&self, mut request: http::request::Builder) -> http::request::Builder {
        for (name, value) in &self.all {
            request = request.header(name, value);
        }
        request
    }

    /// A text without the secrets: servers like to quote what they were sent.
    pub(crate) fn redact(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), "***"))
    }
}

fn secret(header: &str, place: &str) -> Result<String, HeaderError> {
    let header = header.to_owned();
    if let Some(path) = place.strip_prefix("file:") {
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|why| HeaderError::NoFile { header, path: path.to_owned(), why: why.to_string() })?;
        return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    let variable = place.strip_prefix("env:").unwrap_or(place);
    std::env::var(variable).map_err(|_| HeaderError::NoVariable { header, variable: variable.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_sent_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "hunter22\n").unwrap();
        let template = format!("Bearer {{file:{}}}", file.display());
        let headers = Headers::read(&BTreeMap::from([("authorization".to_owned(), template)])).unwrap();
        assert_eq!(headers.all[0].1.to_str().unwrap(), "Bearer hunter22");
        assert_eq!(headers.redact("no such key: hunter22".to_owned()), "no such key: ***");
        assert!(!format!("{headers:?}").contains("hunter22"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let read = |value: &str| Headers::read(&BTreeMap::from([("api-key".to_owned(), value.to_owned())]));
        let error = read("{env:SOAK_NO_SUCH_VARIABLE}").unwrap_err();
        assert!(error.to_string().contains("SOAK_NO_SUCH_VARIABLE, which is not set"), "{error}");
        assert!(matches!(read("{file:/no/such/file}"), Err(HeaderError::NoFile { .. })));
        assert!(matches!(read("a\nb"), Err(HeaderError::Unfit { .. })));
    }
}
