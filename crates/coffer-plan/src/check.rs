//! The laws of a plan. What they let pass is a [`CheckedPlan`]; nothing else can be shown, lowered or
//! run.

mod host;
mod limits;
mod order;
mod shared;
#[cfg(test)]
mod tests;

use crate::facts::HostFacts;
use crate::plan::{CheckedPlan, Plan, PlanError};
use crate::policy::Policy;

/// Checks a plan against the laws: the order of mounts, secret paths, host programs, root's sources, the limits'
/// groups, and the project's own settings of the agent.
///
/// # Errors
/// Every law that the plan breaks, all of them at once.
pub fn check(plan: Plan, policy: &Policy, facts: &HostFacts) -> Result<CheckedPlan, Vec<PlanError>> {
    let mut errors = order::check(&plan);
    errors.extend(host::secrets(&plan, policy, facts));
    errors.extend(crate::sockets::refused(&plan, policy, facts));
    errors.extend(shared::own_sources(&plan, facts));
    errors.extend(host::executables(&plan, facts));
    errors.extend(host::configuration(&plan, facts));
    errors.extend(host::root_only_sources(&plan, facts));
    errors.extend(limits::out_of_reach(&plan));
    errors.extend(host::project_settings(policy, facts));
    if errors.is_empty() { Ok(CheckedPlan(plan)) } else { Err(errors) }
}
