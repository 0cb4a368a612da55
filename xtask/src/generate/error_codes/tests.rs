use super::{Codes, collect};

const SOURCE: &str = r#"
/// What fails.
pub enum Broken {
    /// The file is
    /// not there.
    ///
    /// More about it.
    Missing { path: String },
    /// It is there | twice.
    Twice(u32),
    /// Another's.
    Wrapped(Other),
    /// Nobody knows.
    Unknown,
}

impl Broken {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Twice(_) | Self::Unknown => {
                "odd"
            }
            Self::Wrapped(other) => other.code(),
        }
    }
}
"#;

#[test]
fn a_code_has_the_words_of_its_variants() {
    let mut codes = Codes::new();
    collect(SOURCE, &mut codes).expect("it is Rust");
    let found: Vec<(&str, Vec<&str>)> = codes
        .iter()
        .map(|(code, words)| (code.as_str(), words.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(
        found,
        [
            ("missing", vec!["The file is not there."]),
            ("odd", vec!["It is there \\| twice.", "Nobody knows."])
        ]
    );
}
