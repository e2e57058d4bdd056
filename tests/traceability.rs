//! The requirements matrix against the tests: every row is cited by a test that shows it, is the
//! caller's and has its sentence, or is an exception with a reason.
//!
//! A citation is a line `// req: W5.1-01, W5.1-02` right above a test, or in `src/` above the code
//! that meets the requirement. `REWRITE=1 cargo test --test traceability` writes
//! `requirements/coverage.md` anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug)]
struct Row {
    id: String,
    who: String,
    requirement: String,
}

/// Where an id is cited: a test by name, or code that is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Code(String),
    Test(String),
}

#[derive(Debug, Default)]
struct Found {
    citations: Vec<(String, Place)>,
    mistakes: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("tests/requirements").join(name)).unwrap()
}

/// `W5.1-01`: a letter for the source, its section, a number of two digits.
fn is_id(text: &str) -> bool {
    let Some((section, number)) = text.rsplit_once('-') else { return false };
    let Some((source, section)) = section.split_at_checked(1) else { return false };
    "XWDEFH".contains(source)
        && section.split('.').all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
        && number.len() == 2
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The rows of a page's tables whose first column is an id.
fn table(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .filter_map(|line| line.strip_prefix("| "))
        .map(|line| line.trim_end_matches(" |").split(" | ").map(|c| c.trim().into()).collect())
        .filter(|columns: &Vec<String>| is_id(&columns[0]))
        .collect()
}

fn matrix() -> Vec<Row> {
    let rows = table(&page("matrix.md")).into_iter().map(|columns| {
        let [id, _, who, requirement, _] = <[String; 5]>::try_from(columns).expect("five columns");
        assert!(["A", "B", "C", "S"].contains(&&*who), "{id}: who is `{who}`?");
        Row { id, who, requirement }
    });
    rows.collect()
}

fn sources() -> Vec<(String, String)> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(&root().join("src"), &mut found);
    collect(&root().join("tests"), &mut found);
    found.sort();
    let name = |path: &Path| {
        let parts: Vec<_> = path.strip_prefix(root()).unwrap().iter().collect();
        parts.iter().map(|part| part.to_str().unwrap()).collect::<Vec<_>>().join("/")
    };
    found.into_iter().map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

/// The citations of one file, with what each stands above.
fn citations(file: &str, text: &str, found: &mut Found) {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(ids) = line.strip_prefix("// req: ") else { continue };
        let mut below = lines[at..].iter().skip_while(|line| line.starts_with("//"));
        let attributes: Vec<_> = below.clone().take_while(|line| line.starts_with("#[")).collect();
        let item = below.nth(attributes.len()).copied().unwrap_or_default();
        if attributes.iter().any(|line| line.starts_with("#[ignore")) {
            found.mistakes.push(format!("{file}:{}: stands above a test that is not run", at + 1));
        }
        let place = if attributes.iter().any(|line| **line == "#[test]") {
            let name = item.trim_start_matches("fn ").split('(').next().unwrap_or_default();
            Place::Test(format!("{file}: {name}"))
        } else {
            if !file.starts_with("src/") {
                found.mistakes.push(format!("{file}:{}: stands above no test", at + 1));
            }
            Place::Code(file.into())
        };
        for id in ids.trim_end_matches(',').split(',').map(str::trim) {
            if is_id(id) {
                found.citations.push((id.into(), place.clone()));
            } else {
                found.mistakes.push(format!("{file}:{}: `{id}` is no id", at + 1));
            }
        }
    }
}

type Places = BTreeMap<String, BTreeSet<Place>>;

/// All that is wrong with the citations of `rows`; nothing, if all is well.
fn mistakes(rows: &[Row], cited: &Places, caller: &Pages, exceptions: &Pages) -> Vec<String> {
    let mut wrong = Vec::new();
    let known: BTreeSet<_> = rows.iter().map(|row| &row.id).collect();
    let named = cited.keys().chain(caller.keys()).chain(exceptions.keys());
    for id in named.filter(|id| !known.contains(id)) {
        wrong.push(format!("{id} is cited, but is no row of the matrix"));
    }
    for Row { id, who, .. } in rows {
        let is_test = |place: &Place| matches!(place, Place::Test(_));
        let is_shown = cited.get(id).is_some_and(|places| places.iter().any(is_test));
        let is_callers = who == "A";
        if is_callers != caller.contains_key(id) {
            wrong.push(format!("{id}: `who` is {who}, and caller.md disagrees"));
        }
        match (is_shown || is_callers, exceptions.contains_key(id)) {
            (false, false) => wrong.push(format!("{id} is shown by no test")),
            (true, true) => wrong.push(format!("{id} needs no exception")),
            (true, false) | (false, true) => {}
        }
    }
    wrong
}

/// An id and what a page says of it.
type Pages = BTreeMap<String, String>;

fn sentences(name: &str) -> Pages {
    let mut pages = Pages::new();
    for columns in table(&page(name)) {
        let [id, text] = <[String; 2]>::try_from(columns).expect("two columns");
        assert!(text.split(' ').count() >= 5, "{name}, {id}: a sentence, not `{text}`");
        assert!(pages.insert(id.clone(), text).is_none(), "{name}: {id} twice");
    }
    pages
}

fn cited() -> (Places, Vec<String>) {
    let mut found = Found::default();
    for (file, text) in sources() {
        citations(&file, &text, &mut found);
    }
    let mut places = Places::new();
    for (id, place) in found.citations {
        places.entry(id).or_default().insert(place);
    }
    (places, found.mistakes)
}

#[test]
fn every_row_is_shown_or_excused() {
    let rows = matrix();
    assert!(rows.len() >= 355, "{} rows: none was lost", rows.len());
    let ids: BTreeSet<_> = rows.iter().map(|row| &row.id).collect();
    assert_eq!(ids.len(), rows.len(), "each id once");
    let (cited, mut wrong) = cited();
    wrong.extend(mistakes(&rows, &cited, &sentences("caller.md"), &sentences("exceptions.md")));
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The page: requirement, where it is met, what shows it.
fn coverage() -> String {
    let (cited, _) = cited();
    let (caller, exceptions) = (sentences("caller.md"), sentences("exceptions.md"));
    let mut page = String::from(
        "# Requirements and the tests that show them\n\n\
         Written by `REWRITE=1 cargo test --test traceability`; do not edit. The rules themselves\n\
         are in [matrix.md](matrix.md).\n\n\
         | id | requirement | in | shown by |\n|---|---|---|---|\n",
    );
    for Row { id, requirement, .. } in matrix() {
        let (mut code, mut tests) = (BTreeSet::new(), BTreeSet::new());
        for place in cited.get(&id).into_iter().flatten() {
            match place {
                Place::Code(file) => code.insert(format!("`{file}`")),
                Place::Test(test) => {
                    // A unit test stands in the file that it tests.
                    let file = test.split(':').next().unwrap_or_default();
                    if file.starts_with("src/") {
                        code.insert(format!("`{file}`"));
                    }
                    tests.insert(format!("`{test}`"))
                }
            };
        }
        if let Some(sentence) = caller.get(&id) {
            tests.insert(format!("the caller: {sentence}"));
        }
        if let Some(reason) = exceptions.get(&id) {
            tests.insert(format!("nothing yet: {reason}"));
        }
        let join = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join("<br>");
        writeln!(page, "| {id} | {requirement} | {} | {} |", join(code), join(tests)).unwrap();
    }
    page
}

#[test]
fn the_page_is_current() {
    let (path, wanted) = (root().join("tests/requirements/coverage.md"), coverage());
    if std::env::var_os("REWRITE").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let stale = wanted.lines().zip(found.lines()).find(|(wanted, found)| wanted != found);
    assert!(
        found == wanted,
        "coverage.md is stale: REWRITE=1 cargo test --test traceability\n{stale:?}"
    );
}

/// A check that cannot fail shows nothing.
#[test]
fn each_kind_of_mistake_is_found() {
    let row =
        |id: &str, who: &str| Row { id: id.into(), who: who.into(), requirement: String::new() };
    let rows = [row("W1-01", "B"), row("W1-02", "A"), row("H-01", "S")];
    let said = |ids: &[&str]| ids.iter().map(|id| ((*id).to_owned(), "x".to_owned())).collect();
    let run = |text: &str, caller: &[&str], exceptions: &[&str]| {
        let mut found = Found::default();
        citations("tests/a.rs", text, &mut found);
        let mut places = Places::new();
        for (id, place) in found.citations {
            places.entry(id).or_default().insert(place);
        }
        found.mistakes.extend(mistakes(&rows, &places, &said(caller), &said(exceptions)));
        found.mistakes
    };
    // In two pieces, so that this file cites nothing here.
    let all = concat!("// ", "req: W1-01,\n// ", "req: H-01\n#[test]\nfn a() {}");
    let one = concat!("// ", "req: W1-01\n// why\n#[cfg(x)]\n#[test]\nfn a() {}");
    assert_eq!(run(all, &["W1-02"], &[]), [""; 0]);
    assert_eq!(run(one, &["W1-02"], &["H-01"]), [""; 0]);
    for (text, caller, exceptions, wanted) in [
        (one, &["W1-02"][..], &[][..], "H-01 is shown by no test"),
        (all, &["W1-02"], &["H-01"], "H-01 needs no exception"),
        (all, &[], &[], "W1-02: `who` is A, and caller.md disagrees"),
        (all, &["W1-02", "H-01"], &[], "H-01: `who` is S, and caller.md disagrees"),
        (all, &["W1-02"], &["H-02"], "H-02 is cited, but is no row of the matrix"),
    ] {
        assert_eq!(run(text, caller, exceptions), [wanted]);
    }
    let unknown = all.replace("W1-01", "W9-99");
    let wrong = ["W9-99 is cited, but is no row of the matrix", "W1-01 is shown by no test"];
    assert_eq!(run(&unknown, &["W1-02"], &[]), wrong);
    let no_id = all.replace("W1-01", "W1-01 H-01");
    assert!(run(&no_id, &["W1-02"], &[])[0].ends_with("`W1-01 H-01` is no id"));
    let no_test = one.replace("#[test]", "");
    assert!(run(&no_test, &["W1-02"], &["H-01"])[0].ends_with("stands above no test"));
}
