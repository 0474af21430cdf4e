//! A query becomes ranked hits and the gate's verdict.
