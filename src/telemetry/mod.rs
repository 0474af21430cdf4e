//! Traces: what a request took, sent to a collector over OTLP (OpenTelemetry protocol 1.x, HTTP with protobuf or gRPC).
//! Spans are made after the answer has left, and hold no text of it.

mod context;
mod exporter;
mod otlp;
mod span;

pub use context::TraceContext;
pub use exporter::{Exporter, Protocol, TelemetryError, TelemetrySettings};
pub use span::{Attribute, Kind, Span};
