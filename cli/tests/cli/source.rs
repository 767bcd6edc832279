//! The program's own sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// `commands/send.rs` is `commands::send`, in the room `commands`.
#[test]
fn no_file_uses_one_that_uses_it_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(&root).unwrap().chain(std::fs::read_dir(root.join("commands")).unwrap()) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let inside = path.parent() != Some(&root);
        let name = path.file_stem().unwrap().to_str().unwrap();
        let name = if inside { format!("commands::{name}") } else { name.to_owned() };
        // What a command's file says of another is said with `super::`.
        assert!(!inside || !code.contains("super::") || name.ends_with("mod"), "{name} uses another command");
        let mut found = BTreeSet::new();
        for part in code.split("crate::").skip(1) {
            let list = part.strip_prefix('{').map(|list| list.split("};").next().unwrap());
            let list = list.unwrap_or_else(|| part.split([':', ';', '(', '<', ' ']).next().unwrap());
            let words =
                list.split([',', ' ', '{']).map(|word| word.split(':').next().unwrap().trim().to_owned());
            found.extend(words.filter(|word| !word.is_empty()));
        }
        uses.insert(name, found);
    }
    assert!(uses.len() > 20, "{uses:?}");
    // Takes away what uses nothing that is left; a circle stays.
    while let Some(free) = uses
        .iter()
        .find(|(_, used)| used.iter().all(|one| !uses.contains_key(one)))
        .map(|(name, _)| name.clone())
    {
        uses.remove(&free);
    }
    assert!(uses.is_empty(), "these use each other in a circle: {uses:#?}");
}
