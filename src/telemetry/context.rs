//! W3C Trace Context: the trace that a request belongs to (Recommendation of 23 November 2021).

use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The flag of a trace that its beginner records.
const SAMPLED: u8 = 1;

/// The place of a request in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: [u8; 16],
    /// The client's span, where it has one.
    pub parent: Option<[u8; 8]>,
    /// Our span of the whole request.
    pub own: [u8; 8],
    /// Our span of the call to the upstream, which the upstream's spans are children of.
    pub upstream: [u8; 8],
    /// Whether it is recorded.
    pub is_sampled: bool,
}

impl TraceContext {
    /// The client's trace continued, or a new one, which is recorded with this probability.
    pub fn of(headers: &HeaderMap, share: f64) -> TraceContext {
        let mut values = headers.get_all(&TRACEPARENT).iter();
        // Two of them contradict each other: a new trace begins.
        let parsed = match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok().and_then(parse),
            _ => None,
        };
        let (trace, parent, is_sampled) = match parsed {
            Some((trace, parent, flags)) => (trace, Some(parent), flags & SAMPLED != 0),
            None => (fastrand::u128(1..).to_be_bytes(), None, fastrand::f64() < share),
        };
        let span = || fastrand::u64(1..).to_be_bytes();
        TraceContext { trace, parent, own: span(), upstream: span(), is_sampled }
    }

    /// Names our span of the call to the upstream in its request.
    pub fn hand_on(&self, headers: &mut HeaderMap) {
        let flags = u8::from(self.is_sampled);
        let text = format!("00-{}-{}-{flags:02x}", hex(&self.trace), hex(&self.upstream));
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(TRACEPARENT, value);
        }
    }
}

/// `00-<trace>-<parent>-<flags>`; versions above 00 may have more behind it.
fn parse(text: &str) -> Option<([u8; 16], [u8; 8], u8)> {
    let bytes = text.as_bytes();
    let known = match (bytes.len(), bytes.get(..2)?) {
        (55, b"00") => true,
        (_, b"00" | b"ff") => false,
        (55, _) => true,
        (length, _) => length > 55 && bytes[55] == b'-',
    };
    let dashes = [2, 35, 52].iter().all(|&at| bytes.get(at) == Some(&b'-'));
    if !known || !dashes || unhex::<1>(&bytes[..2]).is_none() {
        return None;
    }
    let (trace, parent) = (unhex::<16>(&bytes[3..35])?, unhex::<8>(&bytes[36..52])?);
    let [flags] = unhex::<1>(&bytes[53..55])?;
    (trace != [0; 16] && parent != [0; 8]).then_some((trace, parent, flags))
}

/// Hexadecimal digits, lower case alone.
fn unhex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> TraceContext {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, HeaderValue::from_str(value).unwrap());
        }
        TraceContext::of(&headers, 1.0)
    }

    #[test]
    fn a_trace_is_continued_and_handed_on() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = of(&[text]);
        assert_eq!(hex(&context.trace), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.parent.map(|parent| hex(&parent)).as_deref(), Some("b7ad6b7169203331"));
        assert!(context.is_sampled && context.own != context.upstream);
        let mut headers = HeaderMap::new();
        context.hand_on(&mut headers);
        let next = of(&[headers[TRACEPARENT].to_str().unwrap()]);
        assert_eq!((next.trace, next.parent), (context.trace, Some(context.upstream)));
        assert!(!of(&[&text.replace("-01", "-00")]).is_sampled);
        assert!(of(&[&format!("cc{}-more", &text[2..])]).parent.is_some());
    }

    #[test]
    fn what_is_no_context_begins_a_new_trace() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        for values in [
            vec![],
            vec![text, text],
            vec![""],
            vec!["00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
            vec!["00-00000000000000000000000000000000-b7ad6b7169203331-01"],
            vec!["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"],
            vec!["ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
            vec!["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"],
            vec!["00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01"],
        ] {
            let context = of(&values);
            assert!(context.parent.is_none() && context.trace != [0; 16], "{values:?}");
        }
        assert!(!TraceContext::of(&HeaderMap::new(), 0.0).is_sampled);
    }
}
