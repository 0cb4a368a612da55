//! The page beside the files: what lies where, and who may read and write what.

use super::text::fill;
use super::{For, PROGRAM, Project, Service, Stack};

/// What somebody may do with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    Write,
    Read,
    Nothing,
}

impl May {
    fn word(self) -> &'static str {
        match self {
            Self::Write => "rw",
            Self::Read => "ro",
            Self::Nothing => "–",
        }
    }
}

impl Stack {
    pub(super) fn readme(&self) -> String {
        let names: Vec<&str> = self.services.iter().map(|service| service.name.as_str()).collect();
        let mut fillings = self.fillings();
        fillings.extend([
            ("title", self.title()),
            ("agent-title", self.agent.title.clone()),
            ("accounts", self.accounts()),
            ("folders", self.folders()),
            ("columns", names.join(" | ")),
            ("rules", "---|".repeat(names.len())),
            ("rows", self.rows()),
        ]);
        fill(include_str!("../../stack/README.md"), &fillings)
    }

    fn title(&self) -> String {
        match self.kind {
            For::Compose => format!("The services of `{}`", self.name),
            For::Editor => format!("The development container of `{}`", self.first().name),
        }
    }

    fn accounts(&self) -> String {
        let line =
            |service: &Service| format!("- `{}` uses the account `{}`.\n", service.name, service.account);
        self.services.iter().map(line).collect()
    }

    fn folders(&self) -> String {
        let mut lines = vec![
            ("compose.yaml".to_owned(), "the services, the keeper, and what each of them sees".to_owned()),
            ("keeper/config.toml".to_owned(), "whom services may reach; the keeper reads it".to_owned()),
            ("images/".to_owned(), "what the two images are built of".to_owned()),
            (PROGRAM.to_owned(), "`coffer` itself, in both of them; not for version control".to_owned()),
        ];
        if self.kind == For::Editor {
            lines.push(("devcontainer.json".to_owned(), "what editors read".to_owned()));
        }
        for service in &self.services {
            for project in &service.projects {
                let line = (format!("{}/", project.source), format!("`{}` in containers", project.target()));
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        lines.push((
            "volume `keeper`".to_owned(),
            "the accounts: logins, sealed copies, the ledger".to_owned(),
        ));
        for Service { name, .. } in &self.services {
            lines.push((
                format!("volume `{name}-door`"),
                format!("the way from `{name}` to the keeper, in memory"),
            ));
            lines.push((
                format!("volume `{name}-home`"),
                format!("the home of `{name}`: history, settings, caches"),
            ));
        }
        let line = |(place, what): (String, String)| match place.starts_with("volume") {
            true => format!("- {place}: {what}\n"),
            false => format!("- `{place}`: {what}\n"),
        };
        lines.into_iter().map(line).collect()
    }

    /// The table of who may do what; each line is for the keeper first, then for each service.
    fn rows(&self) -> String {
        let mut rows = vec![
            ("logins, keys, sealed copies, ledger".to_owned(), May::Write, self.each(|_| May::Nothing)),
            ("`keeper/config.toml`".to_owned(), May::Read, self.each(|_| May::Nothing)),
        ];
        let own = |owner: &Service, may: May| {
            let owner = owner.name.clone();
            move |service: &Service| if service.name == owner { may } else { May::Nothing }
        };
        for service in &self.services {
            rows.push((
                format!("the door of `{}`", service.name),
                May::Write,
                self.each(own(service, May::Read)),
            ));
            rows.push((
                format!("the home of `{}`", service.name),
                May::Nothing,
                self.each(own(service, May::Write)),
            ));
        }
        let mut projects: Vec<&Project> = Vec::new();
        for project in self.services.iter().flat_map(|service| &service.projects) {
            if !projects.iter().any(|known| known.name == project.name) {
                projects.push(project);
            }
        }
        for project in projects {
            let may = |service: &Service| {
                let seen = service.projects.iter().find(|seen| seen.name == project.name);
                seen.map_or(May::Nothing, |seen| if seen.read_only { May::Read } else { May::Write })
            };
            rows.push((format!("`{}`", project.target()), May::Nothing, self.each(may)));
        }
        for service in &self.services {
            for target in &service.kept {
                let row =
                    (format!("`{target}`: these files"), May::Nothing, self.each(own(service, May::Read)));
                rows.push(row);
            }
        }
        let line = |(what, keeper, services): (String, May, Vec<May>)| {
            let words: Vec<&str> = [keeper].into_iter().chain(services).map(May::word).collect();
            format!("| {what} | {} |\n", words.join(" | "))
        };
        rows.into_iter().map(line).collect()
    }

    fn each(&self, may: impl Fn(&Service) -> May) -> Vec<May> {
        self.services.iter().map(may).collect()
    }
}
