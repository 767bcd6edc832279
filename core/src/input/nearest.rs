//! The name that somebody meant.

/// The known name within a third of the length in edits, if one is.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let name: Vec<char> = name.chars().collect();
    known
        .iter()
        .map(|k| (distance(&name, &k.chars().collect::<Vec<_>>()), *k))
        .min()
        .filter(|(edits, k)| *edits <= (k.len().max(name.len()) / 3).max(if k.len() > 3 { 2 } else { 1 }))
        .map(|(_, k)| k)
}

/// Letters to put in, take out or change; two neighbours that changed places are one edit.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j - 1] + same).min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// What is longer is no slip of any name.
const LONGEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let known = ["tenant", "client_id", "host", "to"];
        for (name, near) in [
            ("tennant", Some("tenant")),
            ("clientid", Some("client_id")),
            ("hots", Some("host")),
            ("ot", Some("to")),
            ("zzzzzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, &known), near, "{name}");
        }
        assert_eq!(nearest(&"x".repeat(1_000_000), &known), None);
    }
}
