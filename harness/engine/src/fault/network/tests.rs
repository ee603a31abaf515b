//! The proxy against real sockets: bounds of time are broad, the bytes exact.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use soak_scenario::units::{ByteRate, Bytes, Per, Share, Span};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::*;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(150);

/// Answers every byte with itself; all of it goes when it is dropped.
struct Echo {
    addr: std::net::SocketAddr,
    _tasks: JoinSet<()>,
}

impl Echo {
    async fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap()).await
    }

    async fn at(addr: std::net::SocketAddr) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                open.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                    let _ = to.shutdown().await;
                });
            }
        });
        Self { addr, _tasks: tasks }
    }
}

/// Bytes that are nowhere the same as a little further on.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).take(length).collect()
}

/// Sends all of it, ends, and reads until the end.
async fn there_and_back(addr: std::net::SocketAddr, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(addr).await?;
    let (mut from, mut to) = stream.split();
    let mut back = Vec::new();
    let send = async {
        to.write_all(bytes).await?;
        to.shutdown().await
    };
    tokio::try_join!(send, from.read_to_end(&mut back))?;
    Ok(back)
}

async fn ping(stream: &mut TcpStream) -> std::io::Result<Duration> {
    let began = Instant::now();
    stream.write_all(b"ping").await?;
    let mut back = [0; 4];
    stream.read_exact(&mut back).await?;
    assert_eq!(&back, b"ping");
    Ok(began.elapsed())
}

fn latency(ms: u64) -> Injection {
    Injection::Latency { delay: Span(Duration::from_millis(ms)) }
}

fn begin(injection: &Injection, proxy: &Proxy) -> Box<dyn Guard> {
    Box::new(NetworkFault::begin(injection, vec![proxy.clone()]).unwrap())
}

/// A figure without its fraction.
fn figure(evidence: &Evidence, name: &str) -> u64 {
    evidence.figures.iter().find(|(one, _)| *one == name).unwrap().1 as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_and_the_end_pass_unchanged() {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.addr).await.unwrap();
    let sent = pattern(9_000_001);
    let back = timeout(LONG, there_and_back(proxy.addr(), &sent)).await.unwrap().unwrap();
    assert!(back == sent);
    let counts = proxy.counts();
    assert_eq!((counts.connections, counts.bytes), (1, 2 * 9_000_001));
    assert_eq!((counts.delayed_bytes, counts.held_bytes, counts.reset_connections), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latency_delays_and_does_not_limit() {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.addr).await.unwrap();
    let mut open = TcpStream::connect(proxy.addr()).await.unwrap();
    timeout(LONG, ping(&mut open)).await.unwrap().unwrap();
    assert_eq!(proxy.counts().delayed_bytes, 0);
    let mut guard = begin(&latency(400), &proxy);
    assert!(!guard.evidence().await.took_place, "nothing has been sent");
    let took = timeout(LONG, ping(&mut open)).await.unwrap().unwrap();
    assert!(took >= Duration::from_millis(800), "{took:?} on a connection that was open");
    let sent = pattern(12 << 20);
    let began = Instant::now();
    let back = timeout(LONG, there_and_back(proxy.addr(), &sent)).await.unwrap().unwrap();
    // One buffer of 256 KiB a delay would take nineteen seconds, each way.
    assert!(back == sent && began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let evidence = guard.evidence().await;
    assert!(evidence.took_place && figure(&evidence, "delayed_bytes") >= 24 << 20, "{evidence:?}");
    guard.heal().await.unwrap();
    let delayed = proxy.counts().delayed_bytes;
    timeout(LONG, ping(&mut open)).await.unwrap().unwrap();
    assert_eq!(proxy.counts().delayed_bytes, delayed, "healed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bandwidth_limits_each_way() {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.addr).await.unwrap();
    let rate = ByteRate { bytes: Bytes(400_000), per: Per::Second };
    let mut guard = begin(&Injection::Bandwidth { rate }, &proxy);
    assert!(!guard.evidence().await.took_place);
    let sent = pattern(400_000);
    let began = Instant::now();
    let back = timeout(LONG, there_and_back(proxy.addr(), &sent)).await.unwrap().unwrap();
    let took = began.elapsed();
    assert!(back == sent && took > Duration::from_millis(900) && took < Duration::from_secs(15), "{took:?}");
    let evidence = guard.evidence().await;
    // The way there waits for most of a second; the way back gets its bytes no faster than it may pass them on.
    assert!(evidence.took_place && proxy.counts().waited_seconds > 0.5, "{evidence:?}");
    drop(guard);
    let waited = proxy.counts().waited_seconds;
    timeout(LONG, there_and_back(proxy.addr(), &sent)).await.unwrap().unwrap();
    assert!(proxy.counts().waited_seconds <= waited, "dropping it heals");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cut_comes_later_and_in_order() {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.addr).await.unwrap();
    let mut open = TcpStream::connect(proxy.addr()).await.unwrap();
    ping(&mut open).await.unwrap();
    let mut guard = begin(&Injection::Cut, &proxy);
    assert!(!guard.evidence().await.took_place, "nobody has tried");
    let sent = pattern(9_000_001);
    let (mut from, mut to) = open.split();
    let mut back = Vec::new();
    let sending = async {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let new = there_and_back(proxy.addr(), b"new");
    let cut = async {
        // An open connection and a new one; how long that takes is the machine's affair.
        let evidence = loop {
            let evidence = guard.evidence().await;
            if figure(&evidence, "held_connections") >= 2 && figure(&evidence, "held_bytes") > 0 {
                break evidence;
            }
            sleep(Duration::from_millis(5)).await;
        };
        assert!(evidence.took_place, "{evidence:?}");
        let carried = proxy.counts().bytes;
        sleep(SHORT).await;
        assert_eq!((proxy.counts().bytes, carried), (8, 8), "the ping and no more");
        guard.heal().await.unwrap();
    };
    let all = async { tokio::join!(sending, from.read_to_end(&mut back), new, cut) };
    let (.., new, ()) = timeout(LONG, all).await.unwrap();
    assert_eq!(new.unwrap(), b"new");
    assert!(back == sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_is_seen_on_both_sides() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(upstream.local_addr().unwrap()).await.unwrap();
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    let (mut server, _) = upstream.accept().await.unwrap();
    server.write_all(b"hello").await.unwrap();
    client.read_exact(&mut [0; 5]).await.unwrap();
    let mut guard = begin(&Injection::Reset, &proxy);
    for end in [&mut client, &mut server] {
        let error = timeout(LONG, end.read(&mut [0; 5])).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    // Whether a connection that is reset at once was ever connected is a matter of microseconds.
    if let Ok(mut new) = TcpStream::connect(proxy.addr()).await {
        timeout(LONG, new.read(&mut [0; 5])).await.unwrap().unwrap_err();
    }
    let evidence = guard.evidence().await;
    assert!(evidence.took_place && figure(&evidence, "reset_connections") == 2, "{evidence:?}");
    guard.heal().await.unwrap();
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    client.write_all(b"hello").await.unwrap();
    let (mut server, _) = timeout(LONG, upstream.accept()).await.unwrap().unwrap();
    timeout(LONG, server.read_exact(&mut [0; 5])).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_whatever_the_conditions_do() {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.addr).await.unwrap();
    let sent = pattern(24 << 20);
    let worse = [
        Conditions::Latency(Duration::from_millis(30)),
        Conditions::Cut,
        Conditions::Bandwidth(4e6),
        Conditions::Latency(Duration::from_millis(3)),
        Conditions::Clear,
        Conditions::Cut,
        Conditions::Latency(Duration::from_millis(70)),
    ];
    let change = async {
        for (turn, conditions) in worse.into_iter().cycle().take(28).enumerate() {
            proxy.set(conditions);
            sleep(Duration::from_millis(7 + turn as u64)).await;
        }
        proxy.set(Conditions::Clear);
    };
    let carry =
        async { tokio::join!(there_and_back(proxy.addr(), &sent), there_and_back(proxy.addr(), &sent), change) };
    let (one, other, ()) = timeout(LONG, carry).await.unwrap();
    assert!(one.unwrap() == sent && other.unwrap() == sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_may_go_and_come_back() {
    let echo = Echo::start().await;
    let (addr, proxy) = (echo.addr, Proxy::start(echo.addr).await.unwrap());
    let mut open = TcpStream::connect(proxy.addr()).await.unwrap();
    ping(&mut open).await.unwrap();
    drop(echo);
    let ended = timeout(LONG, open.read(&mut [0; 4])).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "the end of the upstream is passed on: {ended:?}");
    drop(open);
    let error = timeout(LONG, there_and_back(proxy.addr(), b"nobody")).await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe), "{error}");
    assert_eq!(proxy.counts().refused_connections, 1);
    let _echo = Echo::at(addr).await;
    assert_eq!(timeout(LONG, there_and_back(proxy.addr(), b"again")).await.unwrap().unwrap(), b"again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_breaks_off_is_told_to_the_upstream() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(upstream.local_addr().unwrap()).await.unwrap();
    let client = TcpStream::connect(proxy.addr()).await.unwrap();
    let (mut server, _) = upstream.accept().await.unwrap();
    client.set_zero_linger().unwrap();
    drop(client);
    let error = timeout(LONG, server.read(&mut [0; 1])).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn no_task_outlives_the_proxy() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let echo = Echo::start().await;
    let before = tasks();
    let proxy = Proxy::start(echo.addr).await.unwrap();
    let mut open = TcpStream::connect(proxy.addr()).await.unwrap();
    ping(&mut open).await.unwrap();
    proxy.set(Conditions::Cut);
    let mut hanging = TcpStream::connect(proxy.addr()).await.unwrap();
    let begun = async {
        while tasks() < before + 3 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, begun).await.expect("a listener and two connections");
    drop(proxy.clone());
    assert!(timeout(SHORT, open.read(&mut [0; 1])).await.is_err(), "another holds it still");
    drop(proxy);
    for stream in [&mut open, &mut hanging] {
        let ended = timeout(LONG, stream.read(&mut [0; 1])).await.unwrap();
        assert!(matches!(ended, Ok(0) | Err(_)));
    }
    drop((open, hanging));
    let wait = async {
        while tasks() > before {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, wait).await.unwrap();
}

#[tokio::test]
async fn only_this_machine_is_sent_to() {
    let error = Proxy::start("192.0.2.1:3000".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    let proxy = Proxy::start("127.0.0.1:1".parse().unwrap()).await.unwrap();
    let other = Injection::LimitShrink { to: Share(0.5) };
    assert!(NetworkFault::begin(&other, vec![proxy]).unwrap_err().contains("limit_shrink"));
}

/// Takes what it is sent, and counts it.
async fn sink(listener: TcpListener, taken: Arc<AtomicU64>) {
    let mut open = JoinSet::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let taken = Arc::clone(&taken);
        open.spawn(async move {
            let mut buffer = vec![0; 256 << 10];
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                taken.fetch_add(count as u64, Ordering::Relaxed);
            }
        });
    }
}

/// Megabytes a second that two connections carry to `addr` in a fifth of a second.
async fn pace(addr: std::net::SocketAddr, taken: &AtomicU64) -> f64 {
    let mut senders = JoinSet::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        senders.spawn(async move {
            let piece = vec![7; 256 << 10];
            while stream.write_all(&piece).await.is_ok() {}
        });
    }
    sleep(Duration::from_millis(50)).await;
    let (began, before) = (Instant::now(), taken.load(Ordering::Relaxed));
    sleep(Duration::from_millis(200)).await;
    (taken.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64() / 1e6
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, and judges nothing: cargo test --release -p soak-engine overhead -- --ignored --nocapture"]
async fn overhead() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let taken = Arc::new(AtomicU64::new(0));
    tokio::spawn(sink(listener, Arc::clone(&taken)));
    let echo = Echo::start().await;
    let (to_sink, to_echo) = (Proxy::start(addr).await.unwrap(), Proxy::start(echo.addr).await.unwrap());
    let mut paces = [Vec::new(), Vec::new()];
    let mut pings = [Vec::new(), Vec::new()];
    for _ in 0..15 {
        for (way, (sink, echo)) in [(addr, echo.addr), (to_sink.addr(), to_echo.addr())].into_iter().enumerate() {
            paces[way].push(pace(sink, &taken).await);
            let mut stream = TcpStream::connect(echo).await.unwrap();
            stream.set_nodelay(true).unwrap();
            for _ in 0..200 {
                pings[way].push(ping(&mut stream).await.unwrap().as_secs_f64() * 1e6);
            }
        }
    }
    for (name, unit, mut values) in [("bulk", "MB/s", paces), ("ping", "us", pings)] {
        let [direct, through] = values.each_mut().map(|values| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        });
        println!("{name}: direct {direct:.0} {unit}, through the proxy {through:.0} {unit} (medians)");
    }
}
