//! The rooms of this crate: none uses another that uses it back.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Which rooms each room uses, by its files' `use` paths and by the paths in their code. A file of a folder
/// is a room of its own, as `smtp::session`.
fn arrows(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(source).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            for inner in std::fs::read_dir(entry.path()).unwrap().map(Result::unwrap) {
                let file = inner.file_name().into_string().unwrap();
                if let Some(stem) = file.strip_suffix(".rs") {
                    let room = if stem == "mod" { name.clone() } else { format!("{name}::{stem}") };
                    files.insert(room, std::fs::read_to_string(inner.path()).unwrap());
                }
            }
        } else if let Some(stem) = name.strip_suffix(".rs").filter(|stem| *stem != "lib") {
            files.insert(stem.to_owned(), std::fs::read_to_string(entry.path()).unwrap());
        }
    }
    let names: BTreeSet<String> = files.keys().cloned().collect();
    files
        .into_iter()
        .map(|(room, text)| {
            let folder = room.split("::").next().unwrap().to_owned();
            let text = text.split("#[cfg(test)]").next().unwrap();
            let mut used = BTreeSet::new();
            for (prefix, base) in [("crate::", String::new()), ("super::", format!("{folder}::"))] {
                for (at, _) in text.match_indices(prefix) {
                    let rest = &text[at + prefix.len()..];
                    let word = |text: &str| -> String {
                        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
                    };
                    let first = word(rest);
                    let second = rest[first.len()..].strip_prefix("::").map(word).unwrap_or_default();
                    let deep = format!("{base}{first}::{second}");
                    let plain = format!("{base}{first}");
                    let outer = if base.is_empty() { "lib".to_owned() } else { folder.clone() };
                    let used_here = [deep, plain].into_iter().find(|name| names.contains(name));
                    used.insert(used_here.unwrap_or(outer));
                }
            }
            if room == folder {
                let inner = format!("{folder}::");
                used.extend(names.iter().filter(|name| name.starts_with(&inner)).cloned());
            }
            used.remove(&room);
            (room, used)
        })
        .collect()
}

/// A way from `room` back to it.
fn circle(arrows: &BTreeMap<String, BTreeSet<String>>, room: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![room.to_owned()]];
    let mut been = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in &arrows[way.last().unwrap()] {
            let longer = [way.as_slice(), std::slice::from_ref(next)].concat();
            if next == room {
                return Some(longer);
            }
            if been.insert(next.clone()) {
                ways.push(longer);
            }
        }
    }
    None
}

#[test]
fn no_room_uses_another_that_uses_it_back() {
    let arrows = arrows(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(
        arrows["smtp::auth"].contains("smtp::session") && arrows["control"].contains("memory"),
        "{arrows:#?}"
    );
    for room in arrows.keys() {
        if let Some(circle) = circle(&arrows, room) {
            panic!("a circle of rooms: {}", circle.join(" → "));
        }
    }
}
