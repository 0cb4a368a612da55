//! What init verifies before it starts the agent, named by its number in the report.

use crate::launch::{Launch, Word};

impl Launch {
    /// The path that init's option number `index` to verify is about: options `--verify`, `--verify-ro` and
    /// `--verify-mount`, counted from 0 as `Ended::Exchanged` does.
    pub fn verified(&self, index: u32) -> Option<&str> {
        let texts: Vec<&str> = self
            .inside
            .iter()
            .map(|word| match word {
                Word::Text(text) => text.as_str(),
                // None of init's options to verify is a reference; a descriptor's number is no option.
                Word::Ref(_)
                | Word::Data(_)
                | Word::DataRef(_)
                | Word::Open(_)
                | Word::Control
                | Word::Gateway
                | Word::Name
                | Word::Mount { .. } => "",
            })
            .collect();
        // After init's name every option has one word.
        let options = texts.get(1..)?.chunks_exact(2).take_while(|option| option.first() != Some(&"--"));
        let paths = options.filter_map(|option| match option {
            ["--verify" | "--verify-ro", word] => word.splitn(3, ':').nth(2),
            ["--verify-mount", path] => Some(*path),
            _ => None,
        });
        paths.into_iter().nth(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use crate::launch::Launch;

    #[test]
    fn a_path_is_found_by_its_options_number() {
        let inside = ["/init", "--control-fd", "9", "--verify", "1:2:/a:b", "--verify-mount", "/m"];
        let after = ["--verify-ro", "3:4:/c", "--", "--verify", "5:6:/no"];
        let launch = Launch {
            runtime: "/r".into(),
            about: None,
            gateway: None,
            key_agents: None,
            limits: None,
            engine: None,
            environment: Vec::new(),
            preparations: Vec::new(),
            program: "/bwrap".into(),
            options: Vec::new(),
            inside: inside.into_iter().chain(after).map(Into::into).collect(),
        };
        let paths = [0, 1, 2, 3].map(|index| launch.verified(index));
        assert_eq!(paths, [Some("/a:b"), Some("/m"), Some("/c"), None]);
    }
}
