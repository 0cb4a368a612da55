//! One row for each grant, and nothing that reads as something else.

use super::{Row, markdown, rows, text};
use crate::facts::PathKind;
use crate::fixture::Machine;
use crate::plan::{AuthMode, ForwardSpec, NetworkTier};

fn row<'a>(rows: &'a [Row], what: &str) -> &'a Row {
    let found = rows.iter().find(|row| row.what.split(' ').any(|word| word == what) || row.what == what);
    found.unwrap_or_else(|| panic!("no row for {what}: {rows:#?}"))
}

fn of(machine: &Machine) -> Vec<Row> {
    rows(&machine.plan())
}

#[test]
fn one_project_is_read_beside_another_that_is_written() {
    let machine = Machine::ada().has("/home/ada/src/other", PathKind::Folder);
    let rows = of(&machine.mount(&["/home/ada/src/other:/projects/other:ro"]));
    let other = row(&rows, "/projects/other");
    assert_eq!((other.may.as_str(), other.host.as_deref()), ("reads", Some("/home/ada/src/other")));
    assert_eq!(other.origin, "flag --mount");
    let project = row(&rows, "/home/ada/src/app");
    assert_eq!((project.may.as_str(), project.host.as_deref()), ("reads and writes", None));
    // What is private is one row.
    let private = row(&rows, "/tmp");
    assert_eq!((private.may.as_str(), private.what.contains(" /run")), ("has it alone", true), "{private:?}");
}

#[test]
fn what_is_reached_and_what_the_login_is_has_rows() {
    let rows = of(&Machine::ada().flags(|flags| flags.settings.forward = vec![ForwardSpec::Port(5432)]));
    assert_eq!(row(&rows, "api.anthropic.com:443").may, "reaches");
    let database = row(&rows, "127.0.0.1:5432");
    assert_eq!((database.may.as_str(), database.host.as_deref()), ("reaches", Some("127.0.0.1:5432")));
    let login = row(&rows, "access token, without refresh token");
    assert_eq!((login.may.as_str(), login.host.as_deref()), ("reads", Some("account host")));
    let none = of(&Machine::ada().flags(|flags| {
        flags.settings.network = Some(NetworkTier::None);
        flags.settings.auth = Some(AuthMode::None);
    }));
    assert_eq!(
        (row(&none, "every host").may.as_str(), row(&none, "login").may.as_str()),
        ("nothing", "nothing")
    );
}

#[test]
fn a_table_has_a_row_a_line_and_nothing_in_it_is_markup() {
    let rows = [
        Row::new("/a|b_c*", "reads", None, "flag\u{1b}[2J"),
        Row::new("/d", "nothing", Some("x".to_owned()), "y"),
    ];
    let table = markdown(&rows);
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.contains("| /a\\|b\\_c\\* | reads | - |"), "{table}");
    assert!(!table.contains('\u{1b}') && !text(&rows).contains('\u{1b}'));
    assert_eq!(text(&rows).lines().count(), 3);
}
