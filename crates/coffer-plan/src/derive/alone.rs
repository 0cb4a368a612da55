//! What a gateway that stands alone needs for one account: the credential that it puts in, and whom its tier lets
//! through. It is decided by the same functions as for a run; only there is no sandbox.

use super::{credential, network};
use crate::agent::{CredentialKind, CredentialRule};
use crate::facts::HostFacts;
use crate::plan::{Credential, Network, PlanError, Reference};
use crate::policy::Policy;

/// What a gateway that stands alone needs for one account.
#[derive(Debug, Clone)]
pub struct Alone {
    /// The credential, with how it is put in.
    pub credential: Credential,
    /// Whom its holder may reach.
    pub network: Network,
    /// The agent's variable for what is shown in place of the credential.
    pub stand_in: Option<String>,
    /// The agent's variable for where the API is.
    pub url_env: Option<String>,
    /// The agent's variable for a unix socket behind which it is.
    pub socket_env: Option<String>,
}

/// Derives it; the auth mode of the policy is `gateway`.
///
/// # Errors
/// When the account has no credential that could be put in, or its API is not known.
pub fn alone(policy: &Policy, facts: &HostFacts) -> Result<Alone, Vec<PlanError>> {
    let signed_in = credential::derive(policy, facts).map_err(|refused| vec![refused])?;
    if signed_in.credential.injection.is_none() {
        return Err(vec![PlanError::AccountUnusable {
            name: policy.account.value.clone(),
            reason: "it has no credential".to_owned(),
            origin: policy.account.origin.clone(),
        }]);
    }
    let (network, refused) = network::derive(policy, facts, &signed_in);
    if !refused.is_empty() {
        return Err(refused);
    }
    let named = signed_in.variables.iter().find(|(_, reference)| *reference == Reference::Capability);
    // A login is shown as a file in a sandbox of ours; elsewhere what stands for it is a token of the same kind.
    let token = |rule: &&CredentialRule| rule.kind == CredentialKind::SetupToken && rule.stand_in.is_some();
    let stand_in = match named {
        Some((name, _)) => Some(name.clone()),
        None => policy.agent.credentials.iter().find(token).and_then(|rule| rule.stand_in.clone()),
    };
    let layout = policy.agent.gateway.as_ref();
    Ok(Alone {
        credential: signed_in.credential,
        network,
        stand_in,
        url_env: layout.map(|layout| layout.url_env.clone()),
        socket_env: layout.and_then(|layout| layout.socket_env.clone()),
    })
}
