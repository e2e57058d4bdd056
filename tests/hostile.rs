//! Hostile tables as data: frame streams and heads, each with its exact expectation.
//!
//! Every row runs whole, at every cut and byte by byte, in both deliveries where both apply, with
//! the output drained at once and a byte at a time, and with more input after its end.

#[path = "hostile/heads.rs"]
mod heads;
#[path = "hostile/notation.rs"]
mod notation;
#[path = "hostile/published.rs"]
mod published;
#[path = "hostile/streams.rs"]
mod streams;

use notation::Row;

/// `Ok` if a row is as it says, or what is not.
type Check = fn(&Row) -> Result<(), String>;

const TABLES: [(&str, &str, Check); 4] = [
    ("streams-server", include_str!("vectors/streams-server.tsv"), streams::check_server),
    ("streams-client", include_str!("vectors/streams-client.tsv"), streams::check_client),
    ("requests", include_str!("vectors/requests.tsv"), heads::check_request),
    ("responses", include_str!("vectors/responses.tsv"), heads::check_response),
];

fn run(table: usize, count: usize) {
    let (name, text, check) = TABLES[table];
    let rows = notation::rows(text);
    assert_eq!(rows.len(), count, "{name}: rows were lost, or are new");
    let wrong: Vec<_> = rows
        .iter()
        .filter(|row| row.applies())
        .filter_map(|row| check(row).err().map(|why| format!("{name}: {}: {why}", row.name)))
        .collect();
    assert!(wrong.is_empty(), "{} rows\n{}\n", wrong.len(), wrong.join("\n"));
}

// req, W5.1-02, W5.2-01, W5.2-03, W5.2-04, W5.2-05, W5.2-06, W5.2-08, W5.2-10
// req: W5.4-03, W5.4-05, W5.4-07, W5.4-09, W5.5-01, W5.5.1-01, W5.5.1-02, W5.5.1-03, W5.5.1-08
// req: W5.5.1-13, W5.5.1-14, W5.5.1-15, W5.5.2-01, W5.5.3-03, W5.6-01, W5.6-02, W6.2-04, W7.1.5-01
// req: W7.1.7-03, W7.1.7-05, W7.2.1-01, W7.4.1-02, W7.4.1-03, W7.4.2-01, W8.1-01, W8.1-02
// req: W10.4-01, W10.4-02
#[test]
fn streams_to_a_server() {
    run(0, 370);
}

// req, W5.1-04, W5.2-01, W5.2-03, W5.2-06, W5.4-03, W5.4-07, W5.4-09, W5.5-01
// req: W5.5.1-02, W5.5.1-03, W7.1.7-01, W7.4.1-02, W8.1-01
#[test]
fn streams_to_a_client() {
    run(1, 370);
}

// req, W4.2.1-01, W10.7-03, H-55
#[test]
fn requests() {
    run(2, 341);
}

// req, W4.1-29, H-53
#[test]
fn responses() {
    run(3, 202);
}

// req: D6-02, D6.1-04, D7.2.3-02, D7.2.3-03, D7.2.3-04, D6.1-06
#[cfg(feature = "deflate")]
#[test]
fn some_rows_need_compression() {
    for table in [0, 1] {
        let rows = notation::rows(TABLES[table].1);
        let compressed = rows.iter().filter(|row| row.setup("deflate").is_some());
        assert!(compressed.filter(|row| row.applies()).count() >= 25);
    }
}

/// Rows of the matrix that ask for a failure no table can hold, and why.
const NOT_IN_A_TABLE: [(&str, &str); 4] = [
    ("X-04", "it is asked of every row"),
    ("H-57", "there is no handshake before its request is written"),
    ("D7.1.2.2-03", "a client's own offers always have the parameter; see `deflate_negotiation`"),
    ("E5-06", "the tables are of HTTP/1.1; see `handshake_extended`"),
];

#[test]
fn every_failure_of_the_matrix_is_in_a_table() {
    let tables = TABLES.iter().flat_map(|(_, text, _)| notation::rows(text));
    let shown: Vec<_> = tables.flat_map(|row| row.requirements).collect();
    let matrix = include_str!("requirements/matrix.md");
    let rows = matrix.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let rows: Vec<_> = rows.filter(|(id, _)| id.contains('-')).collect();
    for (id, rest) in &rows {
        let fails = ["fail(", "rej(", "cfail"].iter().any(|word| rest.contains(word));
        let is_shown = shown.iter().any(|other| other == id);
        let excused = NOT_IN_A_TABLE.iter().any(|(other, _)| other == id);
        assert!(!fails || is_shown != excused, "{id}: in a table {is_shown}, excused {excused}");
    }
    let is_known = |id: &String| rows.iter().any(|(known, _)| known == id);
    assert!(shown.iter().all(is_known), "{:?}", shown.iter().find(|id| !is_known(id)));
}

/// A table that cannot fail shows nothing: ten rows picked by a fixed seed, each with its
/// expectation changed in every way that the table knows, fail every time.
#[test]
fn a_wrong_expectation_is_noticed() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from((seed >> 16) % n as u64).unwrap()
    };
    for pick in 0..10 {
        let (name, text, check) = TABLES[pick % 4];
        let rows = notation::rows(text);
        let row = loop {
            let row = &rows[below(rows.len())];
            if row.applies() {
                break row;
            }
        };
        check(row).unwrap();
        let changed = row.changes();
        assert!(changed.len() >= 2, "{name}: {row:?}");
        for other in changed {
            assert!(check(&other).is_err(), "{name}: passes as {other:?}");
        }
    }
}
