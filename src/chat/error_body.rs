//! The error body that OpenAI's clients understand.

/// An OpenAI-shaped error whose `type` says that it was the proxy, not the provider, that answered.
///
/// `code` is stable and meant for programs, `message` is for people and says what to do.
pub fn error_body(code: &str, message: &str) -> String {
    serde_json::json!({
        "error": { "message": message, "type": "foreword_error", "param": null, "code": code }
    })
    .to_string()
}
