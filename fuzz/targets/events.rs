//! The reader of event streams: however the bytes are cut into chunks, the events are the same, and they are those of a
//! reader of whole streams that is written from the standard in the plainest way.
#![no_main]

use foreword::chat::SseDecoder;
use libfuzzer_sys::fuzz_target;

/// Longer events are skipped: small, so that it happens.
const LIMIT: usize = 64;

type Events = (Vec<(Vec<u8>, Vec<u8>)>, usize);

fuzz_target!(|data: &[u8]| {
    // The first bytes say how long the chunks are, in turn.
    let Some((lengths, stream)) = data.split_first_chunk::<4>() else { return };
    let whole = read(LIMIT, [stream]);
    assert_eq!(read(LIMIT, stream.chunks(1)), whole, "byte by byte");
    let mut rest = stream;
    let chunks = lengths.iter().cycle().map_while(|&length| {
        let (chunk, left) = rest.split_at_checked(usize::from(length) + 1).unwrap_or((rest, &[]));
        rest = left;
        (!chunk.is_empty()).then_some(chunk)
    });
    assert_eq!(read(LIMIT, chunks), whole, "in chunks");
    // Without a limit, the plain reader sees the same.
    assert_eq!(read(usize::MAX, [stream]), (plainly(stream), 0), "read plainly");
});

fn read<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> Events {
    let mut decoder = SseDecoder::new(limit);
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk, |event| events.push((event.name.to_vec(), event.data.to_vec())));
    }
    (events, decoder.skipped())
}

/// The standard's reader, with the whole stream at hand.
fn plainly(stream: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let (mut events, mut name, mut data) = (Vec::new(), Vec::new(), None::<Vec<u8>>);
    while let Some(end) = stream.iter().position(|&byte| byte == b'\n' || byte == b'\r') {
        let line = &stream[..end];
        let length = if stream[end..].starts_with(b"\r\n") { 2 } else { 1 };
        stream = &stream[end + length..];
        if line.is_empty() {
            let name = std::mem::take(&mut name);
            events.extend(data.take().map(|data| (name, data)));
            continue;
        }
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"event" => name = value.to_vec(),
            b"data" => match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            },
            _ => {}
        }
    }
    events
}
