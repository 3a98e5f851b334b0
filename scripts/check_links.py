"""Check the documentation: every relative link leads to a file, every anchor to a heading. `make docs`.

Looks at all Markdown files that git knows or would add. Addresses on the web are not visited.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
EXPLICIT_ANCHOR = re.compile(r"""<a\s+(?:id|name)=["']([^"']+)["']""")
ELSEWHERE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)


def main() -> int:
    pages = list(markdown_files())
    broken = [complaint for page in pages for complaint in broken_links(page)]
    for complaint in broken:
        print(complaint, file=sys.stderr)
    if not broken:
        print(f"All links of {len(pages)} pages lead somewhere.")
    return 1 if broken else 0


def markdown_files() -> Iterator[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in sorted(filter(None, listed.split("\0"))):
        if (ROOT / name).exists():
            yield ROOT / name


def broken_links(page: Path) -> Iterator[str]:
    text = page.read_text()
    prose = INLINE_CODE.sub(blank, FENCE.sub(blank, text))
    for found in LINK.finditer(prose):
        target = found.group(1) or found.group(2)
        if ELSEWHERE.match(target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        line = prose.count("\n", 0, found.start()) + 1
        where = f"{page.relative_to(ROOT)}:{line}"
        if not file.exists():
            yield f"{where}: there is no {target}"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            yield f"{where}: {file.relative_to(ROOT)} has no heading for #{anchor}"


def blank(found: re.Match[str]) -> str:
    """Code in place of which only its line ends stay, so that line numbers hold."""
    return "\n" * found.group().count("\n")


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that a page's headings get, by the rule that code hosts share, and those it names itself."""
    text = FENCE.sub(blank, page.read_text())
    names: set[str] = set(EXPLICIT_ANCHOR.findall(text))
    for heading in HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        suffix = 1
        unique = name
        while unique in names:
            unique, suffix = f"{name}-{suffix}", suffix + 1
        names.add(unique)
    return frozenset(names)


if __name__ == "__main__":
    sys.exit(main())
