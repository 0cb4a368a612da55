use super::{Bound, Count, Cpus, Size};

#[test]
fn a_size_reads_as_docker_has_it() {
    for (text, bytes) in [
        ("16777216", 16 << 20),
        ("16m", 16 << 20),
        ("512M", 512 << 20),
        ("512MB", 512 << 20),
        ("512MiB", 512 << 20),
        ("16384k", 16 << 20),
        ("8G", 8 << 30),
        ("1t", 1 << 40),
    ] {
        assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
    }
    for text in ["", "G", "1.5G", "-1G", "8 G", "8X", "15M", "0", "99999999999999999999", "999999999999T"] {
        assert!(text.parse::<Size>().is_err(), "{text}");
    }
}

#[test]
fn a_size_is_shown_as_it_can_be_typed() {
    for (bytes, text) in
        [(8 << 30, "8G"), (1536 << 20, "1536M"), (1 << 40, "1T"), ((16 << 20) + 1, "16777217")]
    {
        assert_eq!(Size(bytes).to_string(), text);
        assert_eq!(text.parse(), Ok(Size(bytes)));
    }
}

#[test]
fn processors_have_three_places() {
    for (text, thousandths) in [("2", 2000), ("1.5", 1500), ("0.01", 10), ("0.125", 125), ("64.0", 64000)] {
        assert_eq!(text.parse(), Ok(Cpus(thousandths)), "{text}");
    }
    assert_eq!(Cpus(1500).to_string(), "1.5");
    assert_eq!(Cpus(2000).to_string(), "2");
    for text in ["", ".5", "2.", "0", "0.009", "1.2345", "-1", "1e3", "inf", "99999999"] {
        assert!(text.parse::<Cpus>().is_err(), "{text}");
    }
}

#[test]
fn a_bound_is_a_number_or_none() {
    assert_eq!("none".parse(), Ok(Bound::<Count>::Unbounded));
    assert_eq!("8".parse(), Ok(Bound::Of(Count(8))));
    for text in ["7", "0", "-1", "max", "unlimited", "None", "4294967296"] {
        assert!(text.parse::<Bound<Count>>().is_err(), "{text}");
    }
}
