//! Keys of traces.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::reader::Reader;
use crate::telemetry::{Protocol, TelemetrySettings};
use crate::upstream::Address;

/// Where traces go, where the configuration names a collector.
pub(super) fn telemetry(reader: &mut Reader) -> Option<TelemetrySettings> {
    let protocol = reader.choice(
        "telemetry.otlp_protocol",
        Protocol::Http,
        &[("http", Protocol::Http), ("grpc", Protocol::Grpc)],
    );
    let service = reader.text("telemetry.service_name").unwrap_or_else(|| "foreword".to_owned());
    let share = reader.share("telemetry.sample", 1.0);
    let headers = headers(reader);
    let endpoint = reader.text("telemetry.otlp_endpoint")?;
    if let Err(error) = Address::parse(&endpoint) {
        let wrong = format!("is no base URL such as http://127.0.0.1:4318: {error}");
        reader.problem("telemetry.otlp_endpoint", &wrong);
    }
    Some(TelemetrySettings { endpoint, protocol, headers, service, share })
}

/// Header fields, from the environment variable that the configuration names: `name=value`, separated by commas, as in
/// `OTEL_EXPORTER_OTLP_HEADERS`.
fn headers(reader: &mut Reader) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(variable) = reader.text("telemetry.otlp_headers_env") else { return headers };
    let text = std::env::var(&variable).unwrap_or_default();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let read = pair.split_once('=').and_then(|(name, value)| {
            let mut value = HeaderValue::from_str(value.trim()).ok()?;
            value.set_sensitive(true);
            Some((name.trim().parse::<HeaderName>().ok()?, value))
        });
        match read {
            Some((name, value)) => headers.extend([(name, value)]),
            None => {
                let wrong = format!("names {variable}, which must hold name=value, separated by commas");
                reader.problem("telemetry.otlp_headers_env", &wrong);
            }
        }
    }
    headers
}
