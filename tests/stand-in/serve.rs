//! An HTTP server around one function.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What answers.
pub(crate) trait Answers: Send + Sync + 'static {
    /// A connection was opened.
    fn opened(&self) {}
    /// The client closed a connection.
    fn closed(&self, _connection: TcpStream) {}
    /// One answer.
    fn answer(&self, request: &http::request::Parts, body: &[u8]) -> Response<Full<Bytes>>;
}

/// An answer.
pub(crate) fn text(status: StatusCode, body: impl Into<String>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.into())));
    *response.status_mut() = status;
    response
}

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, answers: Arc<dyn Answers>) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A second handle of it, which a server that leaks connections does not let go of.
        let stream = stream.into_std()?;
        let kept = TcpStream::from_std(stream.try_clone()?)?;
        let stream = TcpStream::from_std(stream)?;
        let answers = Arc::clone(&answers);
        tokio::spawn(async move {
            answers.opened();
            speak(stream, &answers).await;
            answers.closed(kept);
        });
    }
}

/// Serves over TLS with a certificate and a key in PEM files.
pub(crate) async fn serve_tls(
    listener: TcpListener,
    answers: Arc<dyn Answers>,
    (certificate, key): (&str, &str),
) -> Result<(), String> {
    let acceptor = acceptor(certificate, key)?;
    loop {
        let (stream, _) = listener.accept().await.map_err(|error| error.to_string())?;
        let (answers, acceptor) = (Arc::clone(&answers), acceptor.clone());
        tokio::spawn(async move {
            // A client that does not agree on TLS is told so by an alert.
            if let Ok(stream) = acceptor.accept(stream).await {
                speak(stream, &answers).await;
            }
        });
    }
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor, String> {
    let told = |file: &str, error: &dyn std::fmt::Display| format!("{file}: {error}");
    let chain = CertificateDer::pem_file_iter(certificate).map_err(|error| told(certificate, &error))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| told(certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| told(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?.with_no_client_auth();
    let config = config.with_single_cert(chain, private).map_err(|error| told(certificate, &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Answers one connection until it ends.
async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, answers: &Arc<dyn Answers>) {
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let answers = Arc::clone(answers);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Ok::<_, Infallible>(answers.answer(&parts, &body))
        }
    });
    // A client that goes away is no error.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
