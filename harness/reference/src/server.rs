//! The servers: both Flight planes, HTTP, the indexer, the clockwork of compaction, collection and misbehaviour.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arrow_flight::flight_service_server::FlightServiceServer;
use futures::StreamExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server as GrpcServer;
use tonic::transport::server::Connected;

use crate::config::Config;
use crate::connections::Open;
use crate::flight::{MESSAGE_BYTES_MAX, Planes};
use crate::http;
use crate::store::Store;
use crate::tasks::{Running, Tasks};

/// How often the clockwork runs.
const TICK: Duration = Duration::from_millis(50);

/// How long the indexer rests when nothing waits.
const INDEXER_REST: Duration = Duration::from_millis(5);

/// A client that takes longer than this to send its request head is cut off.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);

/// Why the store does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address is taken, or not ours.
    #[error("cannot listen on {addr} for the {plane}: {error}; choose another with {option} (port 0 takes a free one)")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// Which plane wanted it.
        plane: &'static str,
        /// The option that sets it.
        option: &'static str,
        /// The system's word.
        error: std::io::Error,
    },
    /// Threads, or the mapped file of a misbehaviour, could not be had; or a log could not be read back.
    #[error("cannot start the store: {0}")]
    Start(Box<dyn std::error::Error + Send + Sync>),
}

/// A running store. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    /// Where the data plane listens.
    pub data_addr: SocketAddr,
    /// Where the meta plane listens.
    pub meta_addr: SocketAddr,
    /// Where HTTP listens.
    pub http_addr: SocketAddr,
    stop: watch::Sender<bool>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl Server {
    /// Binds the three addresses and starts. Needs a multi-threaded runtime.
    pub async fn start(config: Config) -> Result<Self, ServeError> {
        let data = listen(config.data_addr, "data plane", "--data-addr").await?;
        let meta = listen(config.meta_addr, "meta plane", "--meta-addr").await?;
        let plain = listen(config.http_addr, "HTTP plane", "--http-addr").await?;
        let tasks = Arc::new(Tasks::default());
        let store = Arc::new(Store::new(config, Arc::clone(&tasks)).map_err(ServeError::Start)?);
        let (stop, stopped) = watch::channel(false);
        let addr = |listener: &TcpListener| listener.local_addr().map_err(|error| ServeError::Start(error.into()));
        let server = Self { data_addr: addr(&data)?, meta_addr: addr(&meta)?, http_addr: addr(&plain)?, stop };
        for listener in [data, meta] {
            tokio::spawn(serve_flight(Arc::clone(&store), listener, stopped.clone()));
        }
        tokio::spawn(serve_http(Arc::clone(&store), plain, stopped.clone()));
        tokio::spawn(clockwork(Arc::clone(&store), stopped.clone()));
        let indexer = std::thread::Builder::new().name("indexer".to_owned());
        indexer.spawn(move || index(&store, &stopped)).map_err(|error| ServeError::Start(error.into()))?;
        Ok(server)
    }
}

async fn listen(addr: SocketAddr, plane: &'static str, option: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(addr).await.map_err(|error| ServeError::Listen { addr, plane, option, error })
}

async fn until_stopped(mut stopped: watch::Receiver<bool>) {
    // An error means that the server was dropped, which is the same.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// A connection that counts as a task while it is open.
#[derive(Debug)]
struct Counted {
    stream: TcpStream,
    _running: Running,
    _open: Open,
}

impl Connected for Counted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

async fn serve_flight(store: Arc<Store>, listener: TcpListener, stopped: watch::Receiver<bool>) {
    let tasks = Arc::clone(&store.tasks);
    let _running = tasks.enter(&["flight.accept", "server.start"], "IO wait");
    let (accepted, open) = (Arc::clone(&tasks), Arc::clone(&store.connections));
    let connections = TcpListenerStream::new(listener).map(move |connection| {
        let stream = connection?;
        stream.set_nodelay(true)?;
        Ok::<_, std::io::Error>(Counted {
            _open: open.open(&stream),
            stream,
            _running: accepted.enter(&["flight.connection", "flight.accept"], "IO wait"),
        })
    });
    let service = FlightServiceServer::new(Planes(store))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    // The only error is a listener that failed for good; the store then no longer answers, which a client sees.
    let _ = GrpcServer::builder()
        .add_service(service)
        .serve_with_incoming_shutdown(connections, until_stopped(stopped))
        .await;
}

async fn serve_http(store: Arc<Store>, listener: TcpListener, stopped: watch::Receiver<bool>) {
    let _running = store.tasks.enter(&["http.accept", "server.start"], "IO wait");
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = until_stopped(stopped.clone()) => return,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, say: wait for some to come free.
            tokio::time::sleep(TICK).await;
            continue;
        };
        let (store, stopped) = (Arc::clone(&store), stopped.clone());
        tokio::spawn(async move {
            let _running = store.tasks.enter(&["http.connection", "http.accept"], "IO wait");
            let _open = store.connections.open(&stream);
            let service = service_fn(|request| http::answer(Arc::clone(&store), request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_DEADLINE)
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // A client that goes away is no error of ours.
                _ = connection => {}
                () = until_stopped(stopped) => {}
            }
        });
    }
}

/// What happens by itself: leaks on request, slow release, collection, periodic compaction.
async fn clockwork(store: Arc<Store>, stopped: watch::Receiver<bool>) {
    let _running = store.tasks.enter(&["runtime.clockwork", "server.start"], "sleep");
    let mut last = Instant::now();
    let mut compacted = Instant::now();
    while !*stopped.borrow() && stopped.has_changed().is_ok() {
        tokio::time::sleep(TICK).await;
        let step = last.elapsed();
        last = Instant::now();
        let compact = store.config.compaction_interval.is_some_and(|interval| compacted.elapsed() >= interval);
        let store = Arc::clone(&store);
        let work = tokio::task::spawn_blocking(move || {
            store.leaks.step(step, &store.tasks);
            store.switched_leak.pay(Instant::now(), &store.tasks);
            store.collector.release_slowly(step);
            store.collector.collect_if_due();
            store.collector.trim_if_fallen();
            if compact {
                store.compact_where_due();
            }
        });
        if compact {
            compacted = Instant::now();
        }
        // A panic there has been reported by the runtime; the next tick tries again.
        let _ = work.await;
    }
}

/// Brings the indexes up to date, for ever.
fn index(store: &Store, stopped: &watch::Receiver<bool>) {
    let _running = store.tasks.enter(&["index.run", "server.start"], "chan receive");
    while !*stopped.borrow() && stopped.has_changed().is_ok() {
        if !store.index_some() {
            std::thread::sleep(INDEXER_REST);
        }
    }
}
