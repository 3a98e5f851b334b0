"""`make docs` finds links that lead nowhere, and only those."""

import subprocess
from pathlib import Path

import check_links
import pytest

PAGE = """# A page

[good](other.md) [anchor](other.md#two-words) [own](#a-page) [twice](other.md#two-words-1) [web](https://example.org/x)
`[code](nowhere.md)`

```
[fenced](nowhere.md)
```

[gone](missing.md) and [no heading](other.md#three)
"""


@pytest.fixture
def docs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "other.md").write_text("# Title\n\n## Two words\n\n## Two `words`\n")
    monkeypatch.setattr(check_links, "ROOT", tmp_path)
    return tmp_path


def test_broken_links_are_named_with_their_line(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (docs / "page.md").write_text(PAGE)
    assert check_links.main() == 1
    assert capsys.readouterr().err.splitlines() == [
        "page.md:10: there is no missing.md",
        "page.md:10: other.md has no heading for #three",
    ]


def test_good_pages_pass(docs: Path) -> None:
    (docs / "page.md").write_text(PAGE.rpartition("\n\n")[0])
    assert check_links.main() == 0
