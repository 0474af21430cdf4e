//! A server over raw TCP that records what it receives byte for byte and answers by a script: it streams,
//! stalls, resets and sends garbage.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<String> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// Method and target.
    pub fn request_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }
}

/// What the upstream does after a request.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends bytes in one write.
    Send(Vec<u8>),
    /// Waits until the test lets it go on.
    Wait(Arc<Notify>),
    /// Sends one byte each interval.
    Trickle(Vec<u8>, Duration),
    /// Waits until the peer has closed, and notes it.
    AwaitHangUp,
    /// Says that nothing more will come, and goes on listening.
    EndSending,
    /// Closes in good order.
    Close,
    /// Breaks the connection with a reset.
    Reset,
}

type Script = dyn Fn(&Received) -> Vec<Step> + Send + Sync;

/// The running server. It ends with the runtime.
pub struct Upstream {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    hang_ups: Arc<Mutex<usize>>,
}

impl Upstream {
    /// Answers each request by `script`. Without a `Close` the connection is kept.
    pub async fn start(script: impl Fn(&Received) -> Vec<Step> + Send + Sync + 'static) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Upstream {
            address: listener.local_addr().unwrap(),
            received: Arc::default(),
            hang_ups: Arc::default(),
        };
        let (received, hang_ups) = (Arc::clone(&upstream.received), Arc::clone(&upstream.hang_ups));
        let script: Arc<Script> = Arc::new(script);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(
                    stream,
                    Arc::clone(&script),
                    Arc::clone(&received),
                    Arc::clone(&hang_ups),
                ));
            }
        });
        upstream
    }

    /// Answers everything with one JSON body.
    pub async fn answering(body: &str) -> Upstream {
        let answer = json_answer(body);
        Upstream::start(move |_| vec![Step::Send(answer.clone())]).await
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn last(&self) -> Received {
        self.received().pop().expect("nothing was received")
    }

    pub fn hang_ups(&self) -> usize {
        *self.hang_ups.lock().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

/// A whole answer with a JSON body.
pub fn json_answer(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The head of a chunked event stream.
pub fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()
}

/// One chunk of a chunked body; an empty one ends it.
pub fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Script>,
    received: Arc<Mutex<Vec<Received>>>,
    hang_ups: Arc<Mutex<usize>>,
) {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await {
        let steps = script(&request);
        received.lock().unwrap().push(request);
        for step in steps {
            match step {
                Step::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        *hang_ups.lock().unwrap() += 1;
                        return;
                    }
                }
                Step::Wait(notify) => notify.notified().await,
                Step::Trickle(bytes, interval) => {
                    for byte in bytes {
                        if stream.write_all(&[byte]).await.is_err() {
                            return;
                        }
                        tokio::time::sleep(interval).await;
                    }
                }
                Step::AwaitHangUp => {
                    let mut rest = [0; 64];
                    while !matches!(stream.read(&mut rest).await, Ok(0) | Err(_)) {}
                    *hang_ups.lock().unwrap() += 1;
                    return;
                }
                Step::EndSending => stream.shutdown().await.unwrap(),
                Step::Close => return,
                Step::Reset => {
                    stream.set_zero_linger().unwrap();
                    return;
                }
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Received> {
    let end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        fill(stream, buffer).await?;
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end);
    let mut request = Received { head, body: Vec::new() };
    if let Some(length) = request.header("content-length") {
        let length: usize = length.parse().unwrap();
        while buffer.len() < length {
            fill(stream, buffer).await?;
        }
        request.body = buffer.drain(..length).collect();
    } else if request.header("transfer-encoding").is_some() {
        loop {
            let size = read_line(stream, buffer).await?;
            let size = usize::from_str_radix(size.split(';').next().unwrap().trim(), 16).unwrap();
            if size == 0 {
                // Fields may follow; then comes an empty line.
                while !read_line(stream, buffer).await?.is_empty() {}
                break;
            }
            while buffer.len() < size + 2 {
                fill(stream, buffer).await?;
            }
            request.body.extend_from_slice(&buffer[..size]);
            buffer.drain(..size + 2);
        }
    }
    Some(request)
}

async fn read_line(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    while find(buffer, b"\r\n").is_none() {
        fill(stream, buffer).await?;
    }
    let end = find(buffer, b"\r\n")?;
    let line = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 2);
    Some(line)
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let read = stream.read_buf(buffer).await.ok()?;
    (read > 0).then_some(())
}

pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
