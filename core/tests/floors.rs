//! The house stands on floors: a room uses rooms below it or beside it, never one above, and never one that uses it
//! back. Inside a room its files keep the same rule. `docs/architecture.md` has the picture.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room of `core/src` and its floor.
const FLOORS: &[(&str, u8)] = &[
    ("explain", 9),
    ("mailer", 9),
    ("sign_in", 8),
    ("smtp", 8),
    ("token", 7),
    ("metrics", 6),
    ("oauth", 6),
    ("message", 5),
    ("config", 4),
    ("address", 3),
    ("net", 3),
    ("blocking", 2),
    ("call", 2),
    ("crypto", 2),
    ("doctor", 2),
    ("host", 2),
    ("input", 2),
    ("private_file", 2),
    ("receipt", 2),
    ("retry", 2),
    ("setup", 2),
    ("error", 1),
    ("event", 1),
    ("fork", 1),
    ("instant", 1),
    ("provider", 1),
    ("sync", 1),
    ("text", 1),
];

/// Circles between files that are known and will be opened: none may be added.
const KNOWN: &[&[&str]] = &[];

type Arrows = BTreeMap<String, BTreeMap<String, String>>;

#[test]
fn no_arrow_runs_up() {
    let floor = |room: &str| FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor);
    let house = House::read();
    let mut wrong = Vec::new();
    for (from, to) in &house.rooms {
        for (to, place) in to {
            match (floor(from), floor(to)) {
                (Some(a), Some(b)) if b <= a => {}
                (Some(_), Some(_)) => wrong.push(format!("{place}: {from} uses {to}, which is above it")),
                _ => wrong
                    .push(format!("{place}: name the room by its path, and its floor in this test: {to}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let circles = circles(&house.rooms);
    assert!(circles.is_empty(), "rooms that use each other: {circles:?}");
    let standing: BTreeSet<&str> = house.files.iter().map(|file| first(file)).collect();
    let missing: Vec<_> = FLOORS.iter().filter(|(name, _)| !standing.contains(name)).collect();
    assert!(missing.is_empty(), "rooms that are gone: {missing:?}");
}

#[test]
fn no_files_of_a_room_use_each_other_in_a_circle() {
    let house = House::read();
    let found: BTreeSet<Vec<String>> = house.folders.values().flat_map(circles).collect();
    let known: BTreeSet<Vec<String>> =
        KNOWN.iter().map(|circle| circle.iter().map(|file| (*file).to_owned()).collect()).collect();
    let new: Vec<_> = found.difference(&known).collect();
    assert!(new.is_empty(), "files that use each other: {new:?}");
    let opened: Vec<_> = known.difference(&found).collect();
    assert!(opened.is_empty(), "these are open now, take them off the list: {opened:?}");
}

/// `docs/architecture.md` tells the same: rows of `| floor | rooms |`, and each room in the picture.
#[test]
fn the_page_shows_the_same_floors() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = fs::read_to_string(docs.join("architecture.md")).unwrap();
    let picture = fs::read_to_string(docs.join("pictures/floors.svg")).unwrap();
    let mut shown = BTreeSet::new();
    for line in page.lines() {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (Some(Ok(floor)), Some(rooms)) = (cells.next().map(str::parse::<u8>), cells.next()) else {
            continue;
        };
        shown.extend(rooms.split('`').skip(1).step_by(2).map(|room| (room.to_owned(), floor)));
    }
    let meant: BTreeSet<_> = FLOORS.iter().map(|(room, floor)| ((*room).to_owned(), *floor)).collect();
    assert_eq!(shown, meant, "docs/architecture.md");
    for (room, _) in FLOORS {
        assert!(picture.contains(&format!(">{room}</text>")), "docs/pictures/floors.svg lacks {room}");
    }
}

/// One word, one thing: a reader who meets a name again meets the same thing.
#[test]
fn no_two_types_have_one_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in paths {
        for line in code(&fs::read_to_string(&path).unwrap()).lines() {
            let bare =
                line.split_once(") ").filter(|_| line.starts_with("pub(")).map_or(line, |(_, rest)| rest);
            let bare = bare.strip_prefix("pub ").unwrap_or(bare);
            let words =
                ["struct ", "enum ", "trait ", "type "].iter().find_map(|word| bare.strip_prefix(word));
            if let Some(words) = words {
                let name: String = words.chars().take_while(|c| c.is_alphanumeric()).collect();
                found.entry(name).or_default().push(path.display().to_string());
            }
        }
    }
    assert!(found.len() > 100, "types are found at all");
    let twice: Vec<_> = found.into_iter().filter(|(_, places)| places.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

/// What decides reads no clock: time comes in as an argument, so that its tests neither sleep nor guess.
#[test]
fn decisions_read_no_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let mut seen = BTreeSet::new();
    for path in paths {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let Some(of) = DECISIONS.iter().find(|of| name.starts_with(**of)) else { continue };
        seen.insert(*of);
        let text = code(&fs::read_to_string(&path).unwrap());
        assert!(!text.contains("::now()"), "{name} reads the clock");
    }
    assert_eq!(seen.len(), DECISIONS.len(), "all of them are there: {seen:?}");
}

/// Files and folders that decide, and do nothing.
const DECISIONS: &[&str] = &[
    "address/",
    "crypto/",
    "doctor/",
    "input/",
    "oauth/claims.rs",
    "oauth/hints.rs",
    "oauth/refusals.rs",
    "provider/",
    "retry.rs",
    "smtp/pool/limits.rs",
    "smtp/pool/queue.rs",
    "smtp/protocol/",
    "token/claim.rs",
    "token/entry.rs",
    "token/import.rs",
    "token/state.rs",
];

/// The code's own `use`s and paths, without its tests and comments.
struct House {
    /// Modules, as `smtp/pool/queue`.
    files: BTreeSet<String>,
    /// Room to room.
    rooms: Arrows,
    /// By folder: from its entry to its entry.
    folders: BTreeMap<String, Arrows>,
}

impl House {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut paths = Vec::new();
        walk(&root, &mut paths);
        let mut texts = BTreeMap::new();
        for path in paths {
            let name = path.strip_prefix(&root).unwrap().with_extension("");
            let name = name.to_str().unwrap().replace('\\', "/");
            let name = name.strip_suffix("/mod").unwrap_or(&name).to_owned();
            texts.insert(name, code(&fs::read_to_string(&path).unwrap()));
        }
        texts.remove("lib");
        let files: BTreeSet<String> = texts.keys().cloned().collect();
        let mut house = Self { files, rooms: Arrows::new(), folders: BTreeMap::new() };
        for (name, text) in &texts {
            for target in targets(name, text) {
                house.note(name, &target);
            }
        }
        house
    }

    fn note(&mut self, from: &str, to: &[String]) {
        if to.is_empty() {
            return;
        }
        let own: Vec<&str> = from.split('/').collect();
        if to[0] != own[0] {
            let arrows = self.rooms.entry(own[0].to_owned()).or_default();
            arrows.insert(to[0].clone(), format!("core/src/{from}"));
            return;
        }
        let shared = own.iter().zip(to).take_while(|(a, b)| *a == b).count();
        if shared == own.len() || shared == to.len() {
            return;
        }
        let folder = own[..shared].join("/");
        let (mine, theirs) = (format!("{folder}/{}", own[shared]), format!("{folder}/{}", to[shared]));
        // Else it is an item of the folder's own `mod.rs`.
        if self.files.contains(&theirs) {
            let arrows = self.folders.entry(folder).or_default();
            arrows.entry(mine).or_default().insert(theirs, from.to_owned());
        }
    }
}

fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if name == "tests" || name == "testing" || name.ends_with("_tests") {
            continue;
        }
        match path.is_dir() {
            true => walk(&path, out),
            false => out.push(path),
        }
    }
}

/// Without comments and the tests at its end.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Every path in the text that begins with `crate`, `super` or `self`, from the crate's root.
fn targets(name: &str, text: &str) -> Vec<Vec<String>> {
    let own: Vec<String> = name.split('/').map(str::to_owned).collect();
    let mut out = Vec::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for (at, _) in text.match_indices("::") {
        let head = text[..at].rsplit(|c: char| !is_word(c)).next().unwrap_or_default();
        let before = text[..at - head.len()].chars().next_back();
        if !["crate", "super", "self"].contains(&head) || before == Some(':') {
            continue;
        }
        let mut base = match head {
            "crate" => Vec::new(),
            "self" => own.clone(),
            _ => own[..own.len() - 1].to_vec(),
        };
        let mut rest = &text[at + 2..];
        while let Some(further) = rest.strip_prefix("super::") {
            base.pop();
            rest = further;
        }
        grow(base, rest, &mut out);
    }
    out
}

/// `a::b`, `a::{b, c::{d}}`: each path below `base`.
fn grow(mut base: Vec<String>, text: &str, out: &mut Vec<Vec<String>>) {
    let text = text.trim_start();
    if let Some(inner) = text.strip_prefix('{') {
        let (mut depth, mut begin) = (0, 0);
        for (at, c) in inner.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    grow(base, &inner[begin..at], out);
                    return;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    grow(base.clone(), &inner[begin..at], out);
                    begin = at + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if word.is_empty() || word == "self" {
        out.push(base);
        return;
    }
    base.push(word.clone());
    match text[word.len()..].strip_prefix("::") {
        Some(rest) => grow(base, rest, out),
        None => out.push(base),
    }
}

fn first(file: &str) -> &str {
    file.split('/').next().unwrap_or_default()
}

/// Groups whose members all reach each other.
fn circles(arrows: &Arrows) -> Vec<Vec<String>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> = arrows
        .keys()
        .map(|from| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![from.as_str()]);
            while let Some(at) = next.pop() {
                for to in arrows.get(at).into_iter().flat_map(BTreeMap::keys) {
                    if seen.insert(to.as_str()) {
                        next.push(to);
                    }
                }
            }
            (from.as_str(), seen)
        })
        .collect();
    let mut out: BTreeSet<Vec<String>> = BTreeSet::new();
    for (from, seen) in reach.iter().filter(|(from, seen)| seen.contains(*from)) {
        let back = |other: &&&str| reach.get(**other).is_some_and(|seen| seen.contains(from));
        out.insert(seen.iter().filter(back).map(|name| (*name).to_owned()).collect());
    }
    out.into_iter().collect()
}
