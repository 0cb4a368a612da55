//! The page that a browser would show: signs in at once and sends the code where the CLI waits for it.

use std::collections::HashMap;

use serde_json::json;

use super::deliver::Reply;
use super::tokens::{LoginSpec, TokenBook};

/// Whether this path is a sign-in page (`claude.com` and `claude.ai`).
pub(crate) fn is_page(path: &str) -> bool {
    matches!(path, "/oauth/authorize" | "/cai/oauth/authorize")
}

/// Issues a code for the challenge in the address. A loopback `redirect_uri` is followed, as browsers do; for any
/// other the code is shown, to be pasted.
pub(crate) fn visit(tokens: &mut TokenBook, query: &str) -> Reply {
    let given: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let get = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
    // 2.1.330 prints a short address, `?z-CHALLENGE`, for people who type it off.
    let challenge = query.strip_prefix("z-").unwrap_or(get("code_challenge"));
    if challenge.is_empty() {
        return Reply::json(
            400,
            &json!({"error": "invalid_request", "error_description": "no code_challenge"}),
        );
    }
    let mut spec = LoginSpec::default();
    if !get("scope").is_empty() {
        spec.scopes = get("scope").split(' ').map(str::to_owned).collect();
    }
    let code = tokens.issue_code(spec, Some(challenge.to_owned()));
    let (redirect, state) = (get("redirect_uri"), get("state"));
    if is_loopback(redirect) {
        let answer = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", state)
            .finish();
        return Reply::redirect(format!("{redirect}?{answer}"));
    }
    Reply::json(200, &json!({"paste": format!("{code}#{state}")}))
}

/// The practice server sends nobody to another machine.
fn is_loopback(redirect: &str) -> bool {
    let host = redirect.strip_prefix("http://").and_then(|rest| rest.split(['/', ':']).next());
    matches!(host, Some("localhost" | "127.0.0.1"))
}
