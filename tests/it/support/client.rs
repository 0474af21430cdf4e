//! A client over raw TCP: what it sends and gets is seen byte for byte.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::PATIENCE;
use super::upstream::find;

/// An answer as it arrived.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    /// The body with the transfer coding taken off.
    pub body: Vec<u8>,
    /// The sizes of the chunks, where it was chunked.
    pub chunks: Vec<usize>,
    /// Whether the body ended as its framing promised.
    pub complete: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<String> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// What was decided about the request.
    pub fn decision(&self) -> String {
        self.header("x-foreword-decision").unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A POST request with a JSON body, as bytes.
pub fn post(path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    post_with(path, "", body)
}

/// The same with further header lines, each ended by CRLF.
pub fn post_with(path: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: proxy.test\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// A GET request, as bytes.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// A connection to the proxy.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { stream, buffer: Vec::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        // A server that has refused already may have closed: the answer tells.
        let _refused = self.stream.write_all(bytes).await;
    }

    /// Reads until the buffer holds `needle`, and returns everything up to and including it.
    pub async fn read_until(&mut self, needle: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = find(&self.buffer, needle) {
                return self.buffer.drain(..at + needle.len()).collect();
            }
            assert!(self.fill().await, "closed before {:?}", String::from_utf8_lossy(needle));
        }
    }

    /// Reads until the buffer holds `needle`, and leaves it there.
    pub async fn wait_for(&mut self, needle: &[u8]) {
        while find(&self.buffer, needle).is_none() {
            assert!(self.fill().await, "closed before {:?}", String::from_utf8_lossy(needle));
        }
    }

    /// Whether the peer has closed, after at most `PATIENCE`.
    pub async fn is_closed(&mut self) -> bool {
        while self.fill().await {}
        true
    }

    pub async fn answer(&mut self) -> Answer {
        self.answer_to("POST").await
    }

    pub async fn answer_to(&mut self, method: &str) -> Answer {
        let head = String::from_utf8(self.read_until(b"\r\n\r\n").await).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: Vec::new(), chunks: Vec::new(), complete: true };
        if method == "HEAD" || status == 204 || status == 304 {
            return answer;
        }
        if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().unwrap();
            while self.buffer.len() < length && answer.complete {
                answer.complete = self.fill().await;
            }
            let length = length.min(self.buffer.len());
            answer.body = self.buffer.drain(..length).collect();
        } else if answer.header("transfer-encoding").is_some() {
            self.read_chunks(&mut answer).await;
        } else {
            while self.fill().await {}
            answer.body = std::mem::take(&mut self.buffer);
        }
        answer
    }

    async fn read_chunks(&mut self, answer: &mut Answer) {
        loop {
            let line = loop {
                if let Some(at) = find(&self.buffer, b"\r\n") {
                    break at;
                }
                if !self.fill().await {
                    answer.complete = false;
                    return;
                }
            };
            let size = usize::from_str_radix(std::str::from_utf8(&self.buffer[..line]).unwrap(), 16).unwrap();
            while self.buffer.len() < line + 2 + size + 2 {
                if !self.fill().await {
                    answer.complete = false;
                    return;
                }
            }
            answer.body.extend_from_slice(&self.buffer[line + 2..line + 2 + size]);
            self.buffer.drain(..line + 2 + size + 2);
            if size == 0 {
                return;
            }
            answer.chunks.push(size);
        }
    }

    async fn fill(&mut self) -> bool {
        match tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await {
            Err(_) => panic!("nothing arrived for {PATIENCE:?}"),
            Ok(Ok(read)) => read > 0,
            Ok(Err(_)) => false,
        }
    }
}

/// One request on a connection of its own.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut connection = Connection::open(address).await;
    connection.send(request).await;
    let method = String::from_utf8_lossy(request).split(' ').next().unwrap().to_owned();
    connection.answer_to(&method).await
}
