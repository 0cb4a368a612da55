//! Transcripts of the command line: what is typed, what comes, and the exit code. `TRYCMD=overwrite` writes
//! them anew.

#[test]
fn transcripts() {
    trycmd::TestCases::new()
        .env("HOME", "/nonexistent/home")
        .env("PATH", "/nonexistent/bin")
        .env("COFFER_CONFIG", "")
        .case("tests/transcripts/*.trycmd");
}
