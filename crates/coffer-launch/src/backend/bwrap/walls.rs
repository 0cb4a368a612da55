//! What init closes before it starts the agent: system calls, and by Landlock what no mount grants.

use coffer_plan::landlock;
use coffer_plan::plan::CheckedPlan;

use crate::launch::Word;

/// Init's options.
pub(in crate::backend) fn words(plan: &CheckedPlan) -> Vec<Word> {
    let hardening = &plan.hardening;
    let mut out = vec![Word::from("--system-calls"), Word::from(hardening.system_calls.filter.word())];
    if let Some(abi) = hardening.landlock.abi {
        out.extend([Word::from("--landlock"), Word::Text(abi.to_string())]);
        for rule in landlock::rules(plan) {
            let option = format!("--landlock-{}", rule.reach.word());
            out.extend([Word::Text(option), Word::Text(rule.path.to_string())]);
        }
    }
    out
}
