//! HTTPS with the authorities that a profile trusts, and what it means when no connection comes of it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use soak_scenario::TlsSettings;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::target::{CallError, Cause, Misfit};

/// Why HTTPS cannot be spoken as the profile says.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("tls.ca_file {}: {why}; expected a PEM file with the certificate of the authority that signed the server's", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No certificate can have this name.
    #[error("tls.server_name `{0}` is not a name that a certificate can have; expected one such as store.example")]
    NoName(String),
    /// The library has no way to speak TLS: a defect.
    #[error("TLS is not available: {0}")]
    Unavailable(#[from] rustls::Error),
}

/// How TLS is spoken with one side.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// For messages.
    ca_file: String,
}

impl Tls {
    /// Reads the authorities of a profile.
    pub(super) fn read(settings: &TlsSettings, addr: SocketAddr) -> Result<Self, TlsError> {
        let unreadable = |why: String| TlsError::Unreadable { path: settings.ca_file.clone().into(), why };
        let mut roots = RootCertStore::empty();
        let certificates =
            CertificateDer::pem_file_iter(&settings.ca_file).map_err(|error| unreadable(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(unreadable("it holds no certificate".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = match &settings.server_name {
            Some(name) => ServerName::try_from(name.clone()).map_err(|_| TlsError::NoName(name.clone()))?,
            None => ServerName::IpAddress(addr.ip().into()),
        };
        Ok(Self { config: Arc::new(config), name, ca_file: settings.ca_file.clone() })
    }

    /// Agrees on TLS over a new connection.
    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
        addr: SocketAddr,
    ) -> Result<TlsStream<TcpStream>, CallError> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let agreed = connector.connect(self.name.clone(), stream).await;
        agreed.map_err(|error| {
            let words =
                format!("expected HTTPS from {addr}, as [tls] of the profile says, but {}", self.explain(&error));
            CallError::broken(words).because(Cause::Unfit(Misfit::Tls))
        })
    }

    /// What came, and what to change.
    fn explain(&self, error: &io::Error) -> String {
        let ca_file = &self.ca_file;
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(why)) => self.certificate(why),
            Some(rustls::Error::InvalidMessage(_)) => {
                "the server does not speak TLS; leave [tls] out, or name its HTTPS address".to_owned()
            }
            Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)) => {
                "the server wants a client certificate, which soak has none of".to_owned()
            }
            Some(other) => format!("TLS failed: {other}; check the address and tls.ca_file ({ca_file})"),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the server closed the connection during the handshake; does it speak HTTPS at this address?".to_owned()
            }
            None => format!("the connection failed during the handshake: {error}"),
        }
    }

    fn certificate(&self, why: &CertificateError) -> String {
        let (name, ca_file) = (self.name.to_str(), &self.ca_file);
        match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                let when = match why {
                    CertificateError::ExpiredContext { time, not_after } => {
                        let days = time.as_secs().saturating_sub(not_after.as_secs()) / 86_400;
                        format!(" {days} days ago")
                    }
                    _ => String::new(),
                };
                format!("the server's certificate expired{when}; renew it, and restart the server")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet; check the clocks of both machines".to_owned()
            }
            CertificateError::UnknownIssuer => format!(
                "the server's certificate is not signed by an authority in {ca_file}; name the right one in tls.ca_file"
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("the server's certificate is not for {name}; set tls.server_name to a name that it has")
            }
            other => format!("the server's certificate is not valid: {other}"),
        }
    }
}
