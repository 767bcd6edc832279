"""Looks words up in the built site as its search does: `search.py build/site/html 5.7.139 AADSTS7000215`.

Sphinx's search leaves out numbers that stand alone, so `5.7.139` is found by a heading or not at all."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any


def pages(index: dict[str, Any], query: str) -> set[str]:
    """The pages that the search shows for a query (searchtools.js, `_performSearch`)."""
    names: list[str] = index["docnames"]
    found: set[str] = set()
    asked = query.lower().strip()
    for title, places in index["alltitles"].items():
        if asked in title.lower().strip() and len(asked) >= len(title) / 2:
            found.update(names[place[0]] for place in places)
    words = [word for word in re.split(r"\W+", asked) if word and not word.isdigit()]
    hits: list[set[str]] = []
    for word in words:
        numbers: set[int] = set()
        for table in ("terms", "titleterms"):
            for term, places in index[table].items():
                if word == term or (len(word) > 2 and word in term):
                    numbers.update([places] if isinstance(places, int) else places)
        hits.append({names[number] for number in numbers})
    return found | (set.intersection(*hits) if hits else set())


def main() -> int:
    folder, *queries = sys.argv[1:]
    text = (Path(folder) / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text[text.index("(") + 1 : text.rindex(")")])
    missing = [query for query in queries if "errors" not in pages(index, query)]
    for query in missing:
        print(f"the site's search does not find {query} on the page of errors", file=sys.stderr)
    return 1 if missing or pages(index, "no such thing at all zzz") else 0


if __name__ == "__main__":
    sys.exit(main())
