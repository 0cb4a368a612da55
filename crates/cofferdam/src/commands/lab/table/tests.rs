use serde_json::json;

use super::{Report, Row, Table};

fn report(well: bool) -> Report {
    let rows = vec![
        Row::shown(vec![json!("one file"), json!(7), json!(null)]),
        Row::judged(vec![json!("lease"), json!(0), json!(true)], well),
    ];
    let table = Table {
        name: "race",
        about: "what was done".to_owned(),
        columns: &["how", "sessions lost", "saved"],
        rows,
    };
    let clients = vec![("2.1.330".to_owned(), "/x/claude".to_owned())];
    Report { experiment: "race".to_owned(), clients, day: "2026-11-23".to_owned(), tables: vec![table] }
}

#[test]
fn a_row_that_only_shows_what_is_does_not_fail_the_report() {
    assert!(report(true).well());
    assert!(!report(false).well());
}

#[test]
fn json_names_each_value_by_its_column() {
    let json = report(false).json();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["well"], false);
    assert_eq!(json["tables"][0]["rows"][0]["sessions_lost"], 7);
    assert_eq!(json["tables"][0]["rows"][0]["as_it_must_be"], json!(null));
    assert_eq!(json["tables"][0]["rows"][1]["as_it_must_be"], false);
}

#[test]
fn text_and_page_hold_every_cell_and_the_verdict() {
    let text = report(false).text();
    assert!(text.contains("one file  7"), "{text}");
    assert!(text.contains("are not as they must be"), "{text}");
    assert!(!report(true).text().contains("are not as they must be"));
    let page = report(true).page();
    assert!(page.contains("| lease | 0 | yes | yes |"), "{page}");
    assert!(page.contains("|---|---|---|---|"), "{page}");
    assert!(page.contains("2.1.330"), "{page}");
}
