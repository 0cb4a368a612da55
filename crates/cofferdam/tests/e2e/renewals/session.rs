//! A session of many turns with the genuine CLI in the sandbox.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::practice::Practice;
use crate::support::run;

/// The CLI in its mode for programs.
const WORDS: [&str; 7] =
    ["--", "-p", "--verbose", "--input-format", "stream-json", "--output-format", "stream-json"];

/// A session in which prompts are typed one after the other.
pub(super) struct Session {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Session {
    /// Starts `coffer run FLAGS -- -p` in the mode for programs.
    pub(super) fn starts(practice: &Practice, flags: &[&str]) -> Self {
        let mut command = practice.run(flags);
        command.args(WORDS);
        Self::of(command)
    }

    /// The line that is printed for such a session.
    pub(super) fn line(practice: &Practice) -> String {
        let ran = run(practice.run(&["--dry-run=command"]).args(WORDS));
        ran.ends_with(0);
        ran.text()
    }

    /// Starts it with this line of a shell.
    pub(super) fn pasted(practice: &Practice, line: &str) -> Self {
        let mut command = practice.stage.command("sh");
        practice.equip(&mut command);
        command.args(["-c", &format!("exec {line}")]);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// Types a prompt, and gives what came of it: the CLI's own `result`.
    pub(super) fn asks(&mut self, prompt: &str) -> Value {
        self.types(prompt);
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let count = self.output.read_line(&mut line).unwrap();
            assert!(count > 0, "it ended without a result: {seen}\n{}", self.errors());
            seen.push_str(&line);
            match serde_json::from_str::<Value>(&line) {
                Ok(event) if event["type"] == "result" => return event,
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Types a prompt and does not wait for anything.
    pub(super) fn types(&mut self, prompt: &str) {
        let text = json!([{"type": "text", "text": prompt}]);
        let message = json!({"type": "user", "message": {"role": "user", "content": text}});
        writeln!(self.input.as_mut().unwrap(), "{message}").unwrap();
    }

    fn errors(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// Waits for the end without saying anything more; the exit code, and what stood on stderr.
    pub(super) fn waits(mut self) -> (Option<i32>, String) {
        std::io::copy(&mut self.output, &mut std::io::sink()).unwrap();
        let errors = self.errors();
        (self.child.wait().unwrap().code(), errors)
    }

    /// Ends the input, and with it the session.
    pub(super) fn ends(mut self) -> (Option<i32>, String) {
        self.input = None;
        self.waits()
    }
}

impl Drop for Session {
    /// A test that fails leaves nobody behind: without its input one of the clients goes round in circles.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
