//! The one place that turns what went wrong into HTTP.

use http::header::{CONNECTION, CONTENT_TYPE, PROXY_AUTHENTICATE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use crate::body::{Body, whole};
use crate::record::Verdict;

/// Makes another token.
const ANOTHER: &str = "`coffer gateway token create --account NAME --ttl 8h`, where the gateway is";

/// Why a request gets no answer from whom it was meant for.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nobody allowed it.
    #[error("`{endpoint}` is not allowed in this sandbox")]
    Denied {
        /// Who was asked for.
        endpoint: String,
        /// The command that would allow it.
        hint: String,
    },
    /// The name leads where it must not.
    #[error("`{endpoint}` leads to {address}, an address of {range}, which nobody has granted by name")]
    PrivateAddress {
        /// Who was asked for.
        endpoint: String,
        /// Where that leads.
        address: std::net::IpAddr,
        /// Which kind of address it is.
        range: &'static str,
        /// The command that would allow it.
        hint: String,
    },
    /// It is no request that a gateway passes on.
    #[error("{reason}")]
    Malformed {
        /// In words.
        reason: &'static str,
        /// The status that says so.
        status: StatusCode,
    },
    /// The capability is missing or wrong.
    #[error("this gateway wants the capability of its run")]
    Unauthorized,
    /// The token is missing, or counts for nothing.
    #[error("{reason}")]
    NoToken {
        /// In words.
        reason: String,
        /// Whether it may work later.
        transient: bool,
        /// Whether it was shown to the forward proxy, or should have been.
        proxy: bool,
    },
    /// There is no credential to put in.
    #[error("{reason}")]
    NoCredential {
        /// In words, with the command that mends it.
        reason: String,
        /// Whether it may work later.
        transient: bool,
    },
    /// The name is not known, or nobody could be asked.
    #[error("cannot find `{host}`: {reason}")]
    Unresolved {
        /// The name.
        host: String,
        /// In words.
        reason: String,
    },
    /// The host cannot be reached or breaks off.
    #[error("cannot reach `{endpoint}`: {reason}")]
    Unreachable {
        /// Who.
        endpoint: String,
        /// In words.
        reason: String,
        /// Whether it was the time that ran out.
        timed_out: bool,
    },
    /// The answer cannot be looked into.
    #[error(
        "the answer of `{endpoint}` is encoded though it was asked not to be, so it cannot be searched for the credential"
    )]
    Encoded {
        /// Whose.
        endpoint: String,
    },
    /// The answer held the credential.
    #[error("the answer of `{endpoint}` held the credential, and was cut")]
    Echoed {
        /// Whose.
        endpoint: String,
    },
}

impl Refusal {
    /// How it is written down.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Denied { .. } => Verdict::Denied,
            Self::PrivateAddress { .. } => Verdict::PrivateAddress,
            Self::Malformed { .. } => Verdict::Malformed,
            Self::Unauthorized | Self::NoToken { .. } => Verdict::Unauthorized,
            Self::NoCredential { .. } | Self::Unresolved { .. } | Self::Unreachable { .. } => Verdict::Failed,
            Self::Encoded { .. } => Verdict::Failed,
            Self::Echoed { .. } => Verdict::Echoed,
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Denied { .. } | Self::PrivateAddress { .. } => StatusCode::FORBIDDEN,
            Self::Malformed { status, .. } => *status,
            Self::NoToken { transient: true, .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoToken { proxy: true, .. } => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            Self::Unauthorized | Self::NoToken { .. } => StatusCode::UNAUTHORIZED,
            Self::NoCredential { transient: false, .. } => StatusCode::UNAUTHORIZED,
            Self::NoCredential { transient: true, .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable { timed_out: true, .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Unresolved { .. }
            | Self::Unreachable { .. }
            | Self::Encoded { .. }
            | Self::Echoed { .. } => StatusCode::BAD_GATEWAY,
        }
    }

    /// The command that would help.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Denied { hint, .. } | Self::PrivateAddress { hint, .. } => Some(hint),
            Self::NoToken { transient: false, .. } => Some(ANOTHER),
            Self::NoToken { transient: true, .. }
            | Self::Malformed { .. }
            | Self::Unauthorized
            | Self::NoCredential { .. }
            | Self::Unresolved { .. }
            | Self::Unreachable { .. }
            | Self::Encoded { .. }
            | Self::Echoed { .. } => None,
        }
    }

    /// What a program behind the forward proxy is told, in words.
    pub fn answer(&self) -> Response<Body> {
        let mut text = format!("coffer: {self}\n");
        if let Some(hint) = self.hint() {
            text.push_str(&format!("hint: {hint}\n"));
        }
        self.with(text, "text/plain; charset=utf-8")
    }

    /// What an agent is told, in the form in which its API tells what went wrong.
    pub fn answer_as_api(&self) -> Response<Body> {
        let kind = match self.status() {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::FORBIDDEN => "permission_error",
            StatusCode::BAD_REQUEST => "invalid_request_error",
            StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
            StatusCode::GATEWAY_TIMEOUT => "timeout_error",
            _ => "api_error",
        };
        let mut message = format!("coffer: {self}");
        if let Some(hint) = self.hint() {
            message.push_str(&format!("; {hint}"));
        }
        let error = serde_json::json!({ "type": "error", "error": { "type": kind, "message": message } });
        let mut answer = self.with(error.to_string(), "application/json");
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if matches!(
            self,
            Self::NoCredential { transient: false, .. } | Self::NoToken { transient: false, .. }
        ) {
            // The clients of this API heed it: nobody would be helped by another try.
            answer.headers_mut().insert("x-should-retry", HeaderValue::from_static("false"));
        }
        answer
    }

    fn with(&self, content: String, kind: &'static str) -> Response<Body> {
        let mut answer = Response::new(whole(content));
        *answer.status_mut() = self.status();
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if self.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            headers.insert(PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"coffer gateway\""));
        }
        if matches!(self, Self::Malformed { .. }) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}
