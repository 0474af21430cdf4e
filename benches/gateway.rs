//! The two ends of the gateway benchmark: an upstream that answers at once, and a closed loop of clients.
//! Loopback only. `scripts/bench` starts them; what they print is for it.
//!
//! `gateway upstream` prints its port and serves. `gateway load URL-AUTHORITY PATH BODY-FILE CONNECTIONS
//! SECONDS` sends the file over and over and prints one JSON line. `@@@@@@@@` in the file becomes a number
//! that no other request has. `gateway events ...`, with the same arguments, takes the time from when the upstream
//! sends something of a stream to when the client has it: of the first bytes, which are the head, and of each event.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"An answer of a usual length, which says neither too little nor too much about what was asked."},"finish_reason":"stop"}],"usage":{"prompt_tokens":400,"completion_tokens":20,"total_tokens":420,"prompt_tokens_details":{"cached_tokens":128}}}"#;
const EVENTS: usize = 50;
/// Between two events of a stream whose events say when they were sent.
const PAUSE: Duration = Duration::from_millis(2);
const SENT: &[u8] = b"\"sent\":";
const COUNTER: &[u8] = b"@@@@@@@@";

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let arguments: Vec<&str> =
        arguments.iter().skip(1).map(String::as_str).filter(|word| *word != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments[..] {
        ["upstream"] => runtime.block_on(upstream()),
        [what @ ("load" | "events"), address, path, body, connections, seconds] => {
            let address: SocketAddr = address.parse()?;
            if !address.ip().is_loopback() {
                return Err("only loopback addresses are loaded".into());
            }
            let body = std::fs::read(body)?;
            let seconds = Duration::from_secs_f64(seconds.parse()?);
            let request = request(path, &body);
            match what {
                "events" => runtime.block_on(events(address, request, connections.parse()?, seconds)),
                _ => runtime.block_on(load(address, request, connections.parse()?, seconds)),
            }
        }
        // `cargo bench` runs every benchmark without arguments; this one has nothing to do then.
        _ => Ok(()),
    }
}

async fn upstream() -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    write_line(&format!("port {}", listener.local_addr()?.port()))?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let whole = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let event = format!(
        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" word\"}},\"finish_reason\":null}}],\"pad\":\"{}\"}}\n\n",
        "p".repeat(40)
    );
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    let mut buffer = Vec::with_capacity(256 * 1024);
    while let Some(request) = next_message(&mut stream, &mut buffer).await? {
        if memmem::find(&request, b"\"stream\":true").is_none() {
            stream.write_all(whole.as_bytes()).await?;
            continue;
        }
        if memmem::find(&request, b"\"stamped\":true").is_some() {
            let line_end = head.find('\n').map_or(0, |at| at + 1);
            let (status, fields) = head.split_at(line_end);
            let head = format!("{status}x-stamp: \"sent\":{:020}\r\n{fields}", now());
            stream.write_all(head.as_bytes()).await?;
            for _ in 0..EVENTS {
                tokio::time::sleep(PAUSE).await;
                let event = format!("data: {{\"sent\":{:020},\"choices\":[]}}\n\n", now());
                stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
            }
            stream.write_all(b"0\r\n\r\n").await?;
            continue;
        }
        stream.write_all(head.as_bytes()).await?;
        for _ in 0..EVENTS {
            stream.write_all(chunk.as_bytes()).await?;
            // One event, one write, one turn of the loop: as a model sends them.
            tokio::task::yield_now().await;
        }
        stream.write_all(b"0\r\n\r\n").await?;
    }
    Ok(())
}

/// The next request or answer with its head; `None` at the end of the connection.
async fn next_message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(end) = message_end(buffer) {
            let rest = buffer.split_off(end);
            return Ok(Some(std::mem::replace(buffer, rest)));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

fn message_end(buffer: &[u8]) -> Option<usize> {
    let head = memmem::find(buffer, b"\r\n\r\n")? + 4;
    let fields = buffer[..head].to_ascii_lowercase();
    if let Some(at) = memmem::find(&fields, b"content-length: ") {
        let digits = fields[at + 16..].iter().take_while(|byte| byte.is_ascii_digit());
        let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
        return (buffer.len() >= head + length).then_some(head + length);
    }
    if memmem::find(&fields, b"transfer-encoding: chunked").is_some() {
        return memmem::find(&buffer[head - 2..], b"\r\n0\r\n\r\n").map(|at| head - 2 + at + 7);
    }
    Some(head)
}

fn request(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[derive(Default)]
struct Tally {
    latencies: Vec<u32>,
    events: u64,
    decision: String,
}

async fn load(address: SocketAddr, request: Vec<u8>, connections: usize, time: Duration) -> Outcome<()> {
    let counter = Arc::new(AtomicU64::new(u64::from(std::process::id()) % 1_000 * 100_000));
    let request = Arc::new(request);
    let begun = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(client(address, Arc::clone(&request), Arc::clone(&counter), begun + time)))
        .collect();
    let mut all = Tally::default();
    for client in clients {
        let tally = client.await??;
        all.latencies.extend(tally.latencies);
        all.events += tally.events;
        all.decision = tally.decision;
    }
    let seconds = begun.elapsed().as_secs_f64();
    all.latencies.sort_unstable();
    let at =
        |share: f64| all.latencies.get((all.latencies.len() as f64 * share) as usize).copied().unwrap_or(0);
    write_line(&format!(
        "{{\"requests\":{},\"events\":{},\"seconds\":{seconds},\"p50_us\":{},\"p99_us\":{},\"decision\":\"{}\"}}",
        all.latencies.len(),
        all.events,
        at(0.5),
        at(0.99),
        all.decision
    ))?;
    Ok(())
}

async fn client(
    address: SocketAddr,
    request: Arc<Vec<u8>>,
    counter: Arc<AtomicU64>,
    until: Instant,
) -> io::Result<Tally> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut request = Vec::clone(&request);
    let place = memmem::find(&request, COUNTER);
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut tally = Tally::default();
    while Instant::now() < until {
        if let Some(place) = place {
            let number = format!("{:08}", counter.fetch_add(1, Ordering::Relaxed) % 100_000_000);
            request[place..place + COUNTER.len()].copy_from_slice(number.as_bytes());
        }
        let sent = Instant::now();
        stream.write_all(&request).await?;
        let answer = next_message(&mut stream, &mut buffer).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        tally.latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
        }
        tally.events += memmem::find_iter(&answer, b"data: ").count() as u64;
        if tally.decision.is_empty()
            && let Some(at) = memmem::find(&answer, b"x-foreword-decision: ")
        {
            let value = &answer[at + 21..];
            let end = value.iter().position(|byte| *byte == b'\r').unwrap_or(0);
            tally.decision = String::from_utf8_lossy(&value[..end]).into_owned();
        }
    }
    Ok(tally)
}

/// Nanoseconds since 1970, by the clock that all processes of this machine share.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

async fn events(address: SocketAddr, request: Vec<u8>, connections: usize, time: Duration) -> Outcome<()> {
    let until = Instant::now() + time;
    let clients: Vec<_> =
        (0..connections).map(|_| tokio::spawn(listen(address, request.clone(), until))).collect();
    let mut delays = Delays::default();
    for client in clients {
        let of_one = client.await??;
        delays.heads.extend(of_one.heads);
        delays.events.extend(of_one.events);
    }
    let at = |sorted: &[u64], share: f64| {
        sorted.get((sorted.len() as f64 * share) as usize).copied().unwrap_or(0) / 1_000
    };
    let Delays { mut heads, mut events } = delays;
    heads.sort_unstable();
    events.sort_unstable();
    write_line(&format!(
        "{{\"streams\":{},\"first_p50_us\":{},\"first_p99_us\":{},\"events\":{},\"p50_us\":{},\"p99_us\":{}}}",
        heads.len(),
        at(&heads, 0.5),
        at(&heads, 0.99),
        events.len(),
        at(&events, 0.5),
        at(&events, 0.99)
    ))?;
    Ok(())
}

/// How long things were on their way, in nanoseconds.
#[derive(Default)]
struct Delays {
    /// The heads of streams.
    heads: Vec<u64>,
    events: Vec<u64>,
}

async fn listen(address: SocketAddr, request: Vec<u8>, until: Instant) -> io::Result<Delays> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut delays = Delays::default();
    while Instant::now() < until {
        stream.write_all(&request).await?;
        let (mut answer, mut seen) = (Vec::with_capacity(16 * 1024), 0);
        while message_end(&answer).is_none() {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let arrived = now();
            while let Some(at) = memmem::find(&answer[seen..], SENT) {
                let digits = seen + at + SENT.len();
                let Some(digits) = answer.get(digits..digits + 20) else { break };
                let sent = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                let of = if seen == 0 { &mut delays.heads } else { &mut delays.events };
                of.push(arrived.saturating_sub(sent.unwrap_or(arrived)));
                seen += at + SENT.len() + 20;
            }
        }
    }
    Ok(delays)
}

fn write_line(line: &str) -> io::Result<()> {
    use std::io::Write;
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
