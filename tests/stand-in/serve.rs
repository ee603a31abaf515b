//! An HTTP server around one function.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

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
            let service = service_fn(|request: Request<hyper::body::Incoming>| {
                let answers = Arc::clone(&answers);
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                    Ok::<_, Infallible>(answers.answer(&parts, &body))
                }
            });
            // A client that goes away is no error.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            answers.closed(kept);
        });
    }
}
