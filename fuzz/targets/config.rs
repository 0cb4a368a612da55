//! Config files: whatever is in them, reading gives settings or a one-line error.
#![no_main]

use coffer_plan::config::{ConfigError, parse_project, parse_user};
use coffer_plan::show::audit::printable;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let user = parse_user("config.toml", text).map_err(|error| look_at(&error));
    let project = parse_project(".coffer.toml", text).map_err(|error| look_at(&error));
    // A project may say less than the user, never something that the user may not say.
    if let Ok(project) = project {
        assert_eq!(user.map(|user| user.settings), Ok(project.settings));
    }
});

/// As they are printed, these words stay on their line, and none of them steers the terminal.
fn look_at(error: &ConfigError) {
    for words in [Some(error.to_string()), error.hint()].into_iter().flatten() {
        let words = printable(&words);
        assert!(!words.chars().any(char::is_control), "control character in {words:?}");
    }
}
