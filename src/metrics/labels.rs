//! The values that metric labels may take. Their number is fixed: no label holds text of a request, an
//! item, a model name or a key.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

/// A label with a fixed set of values.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            /// Every value.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The value in metrics and logs.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text),+
                }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
                EncodeLabelValue::encode(&self.as_str(), encoder)
            }
        }
    };
}

label! {
    /// What kind of request it was.
    Route {
        /// A path that injection knows.
        Chat = "chat",
        /// Everything else.
        Passthrough = "passthrough",
        /// Refused before it was routed.
        Refused = "refused",
    }
}

label! {
    /// How a response ended.
    Ending {
        /// The client got all of it.
        Complete = "complete",
        /// The upstream broke off.
        Failed = "failed",
        /// The client went away.
        Cancelled = "cancelled",
    }
}

label! {
    /// Why a conversation's outbound messages do not continue those of the turn before.
    PrefixBreak {
        /// Retrieval missed its deadline, failed, or was too busy.
        Deadline = "deadline",
        /// A new snapshot was published.
        Reload = "reload",
        /// What was added would overflow the model's context window.
        ContextOverflow = "context_overflow",
        /// The client asked for an answer without added context; what its earlier turns got is not known.
        OptOut = "opt_out",
    }
}

label! {
    /// What became of a brand's disclosure.
    Disclosing {
        /// It stands behind the answer.
        Added = "added",
        /// The answer is no text for a person: a call, a refusal, data.
        Nothing = "nothing",
        /// The answer has a form that it cannot be put into: compressed, signed, or events of Responses.
        Impossible = "impossible",
    }
}

label! {
    /// How a tunnel ended.
    TunnelEnd {
        /// Both sides had said all.
        Closed = "closed",
        /// One side broke off.
        Broken = "broken",
        /// Neither side said anything for too long.
        Silent = "silent",
        /// The process ended.
        Shutdown = "shutdown",
    }
}

label! {
    /// Why receipts are lost.
    LiveLoss {
        /// More requests ended than could be taken in.
        Queue = "queue",
        /// The disk was gone for too long.
        Disk = "disk",
    }
}

label! {
    /// How a reload ended.
    ReloadResult {
        /// A new snapshot serves.
        Published = "published",
        /// Nothing that counts had changed.
        Unchanged = "unchanged",
        /// Something was wrong; the last good snapshot serves on.
        Rejected = "rejected",
    }
}
