//! Streams in the shapes that providers send, each in every framing: the bytes that leave are those that came, none is
//! held back, and each answer has one ending.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::support::client::{Connection, post_with};
use crate::support::proxy::Proxy;
use crate::support::upstream::{Step, Upstream, chunk};
use crate::support::{run, until};

const CHAT: &str = "/v1/chat/completions";
const BODY: &str = "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}]}";

/// What a stream is made of: its name, its content encoding, and the pieces in which it is written.
type Shape = (&'static str, &'static str, Vec<Vec<u8>>);

fn shapes() -> Vec<Shape> {
    let text = |name, pieces: &[&str]| -> Shape {
        (name, "", pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect())
    };
    let arguments = "\\\"größe\\\":1,".repeat(8_000);
    let call = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":0,\"function\":{{\"arguments\":\"{arguments}\"}}}}]}}}}]}}\n\n"
    );
    assert!(call.len() > 100_000);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&b"data: {\"choices\":[]}\n\n".repeat(200)).unwrap();
    let packed = packed.finish().unwrap();
    let (front, back) = packed.split_at(packed.len() / 2);
    vec![
        text("plain", &["data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", "data: [DONE]\n\n"]),
        text("line feeds of other systems", &["data: {\"choices\":[]}\r\n\r\n", "data: [DONE]\r\n\r\n"]),
        text("carriage returns", &["data: {\"choices\":[]}\r\r", "data: [DONE]\r\r"]),
        text("comments", &[": waiting\n\n", ": still\n\ndata: {\"choices\":[]}\n\n", ":\n\n"]),
        text("data in lines", &["data: {\"choices\":\ndata: []}\n", "\ndata: [DONE]\n\n"]),
        text("named events", &["event: message\nid: 1\nretry: 10\ndata: {}\n\n", "event: end\ndata\n\n"]),
        text(
            "usage",
            &[
                "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n",
                "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1,\"total_tokens\":10}}\n\ndata: [DONE]\n\n",
            ],
        ),
        text(
            "empty choices",
            &["data: {\"choices\":[]}\n\n", "data: {}\n\n", "data: {\"choices\":null}\n\n"],
        ),
        text(
            "an error",
            &[
                "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
                "event: error\ndata: {\"error\":{\"message\":\"overloaded\",\"code\":529}}\n\n",
            ],
        ),
        (
            "a large tool call",
            "",
            vec![call[..50_000].into(), call[50_000..].into(), b"data: [DONE]\n\n".to_vec()],
        ),
        ("gzip", "gzip", vec![front.to_vec(), back.to_vec()]),
        ("brotli", "br", vec![b"\x0b\x00".to_vec(), b"\x80X\x03".to_vec()]),
        ("an encoding that is none", "gzip", vec![b"data: not packed\n".to_vec(), b"\n".to_vec()]),
        text("no last line", &["data: {\"choices\":[]}\n\n", "data: [DO"]),
        text("no end that is marked", &["data: {\"choices\":[]}\n\n", "data: {\"choices\":[]}\n\n"]),
        text("a byte order mark", &["\u{feff}data: {\"choices\":[]}\n\n", "data: [DONE]\n\n"]),
        (
            "broken UTF-8",
            "",
            vec![b"data: \"\xff\xfe\xc3\n\n".to_vec(), b"\xa9\xe2\x80".to_vec(), b"\xa8\n\n".to_vec()],
        ),
        text(
            "split characters of a name",
            &["data: {\"choices\":[{\"delta\":{\"content\":\"Ac", "me\"}}]}\n\n"],
        ),
        text(
            "events of Responses",
            &[
                "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n",
                "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n",
            ],
        ),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Framing {
    Chunks,
    Length,
    /// HTTP/1.0 without a length: the end of the connection is the end of the answer.
    Close,
    /// The connection breaks before the end that was promised.
    Cut,
}

fn steps((_, encoding, pieces): &Shape, framing: Framing, go_on: &Arc<Notify>) -> Vec<Step> {
    let length: usize = pieces.iter().map(Vec::len).sum();
    let version = if framing == Framing::Close { "1.0" } else { "1.1" };
    let mut head = format!("HTTP/{version} 200 OK\r\ncontent-type: text/event-stream\r\n");
    if !encoding.is_empty() {
        head += &format!("content-encoding: {encoding}\r\n");
    }
    match framing {
        Framing::Length => head += &format!("content-length: {length}\r\n"),
        Framing::Chunks | Framing::Cut => head += "transfer-encoding: chunked\r\n",
        Framing::Close => {}
    }
    head += "\r\n";
    let framed = |piece: &Vec<u8>| match framing {
        Framing::Chunks | Framing::Cut => chunk(piece),
        Framing::Length | Framing::Close => piece.clone(),
    };
    let mut steps = vec![Step::Send([head.into_bytes(), framed(&pieces[0])].concat())];
    steps.push(Step::Wait(Arc::clone(go_on)));
    steps.extend(pieces[1..].iter().map(|piece| Step::Send(framed(piece))));
    match framing {
        Framing::Chunks => steps.push(Step::Send(chunk(b""))),
        Framing::Length => {}
        Framing::Close | Framing::Cut => steps.push(Step::Close),
    }
    steps
}

/// Requests by how they ended.
fn endings(proxy: &Proxy) -> BTreeMap<String, f64> {
    let mut endings = BTreeMap::new();
    for line in
        proxy.metrics.render().unwrap().lines().filter(|line| line.starts_with("foreword_requests_total{"))
    {
        let (labels, count) = line.rsplit_once(' ').unwrap();
        let ending = labels.split("ending=\"").nth(1).unwrap().split('"').next().unwrap();
        *endings.entry(ending.to_owned()).or_default() += count.parse::<f64>().unwrap();
    }
    endings
}

#[test]
fn invariant_6_t5_streams_of_every_shape_pass_as_they_come() {
    run(async {
        let go_on = Arc::new(Notify::new());
        let framings = [Framing::Chunks, Framing::Length, Framing::Close, Framing::Cut];
        let cases: Arc<Vec<(Shape, Framing)>> = Arc::new(
            shapes().into_iter().flat_map(|shape| framings.map(|framing| (shape.clone(), framing))).collect(),
        );
        assert_eq!(cases.len(), 76);
        let (script, released) = (Arc::clone(&cases), Arc::clone(&go_on));
        let upstream = Upstream::start(move |request| {
            let case: usize = request.header("x-case").unwrap().parse().unwrap();
            let (shape, framing) = &script[case];
            steps(shape, *framing, &released)
        })
        .await;
        let proxy = Proxy::start(&upstream.url()).await;
        let mut expected: BTreeMap<String, f64> = BTreeMap::new();
        for (number, ((name, encoding, pieces), framing)) in cases.iter().enumerate() {
            let case = format!("{name}, {framing:?}");
            let mut client = Connection::open(proxy.address).await;
            client.send(&post_with(CHAT, &format!("x-case: {number}\r\n"), BODY)).await;
            // The upstream has sent no more than the first piece, and will not before that has come through. (A large
            // one may come in several chunks.)
            client.wait_for(&pieces[0][..pieces[0].len().min(64)]).await;
            go_on.notify_one();
            let answer = client.answer().await;
            assert_eq!(answer.body, pieces.concat(), "{case}");
            assert_eq!(answer.complete, *framing != Framing::Cut, "{case}");
            assert_eq!(answer.header("content-encoding").unwrap_or_default(), *encoding, "{case}");
            assert_eq!(answer.decision(), "injected", "{case}");
            let ending = if *framing == Framing::Cut { "failed" } else { "complete" };
            *expected.entry(ending.to_owned()).or_default() += 1.0;
            until(&case, || endings(&proxy) == expected).await;
        }
    });
}
