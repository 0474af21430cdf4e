"""Counting a brand's names in a text, and showing two texts side by side with the names marked."""

import re
import textwrap
import tomllib
from pathlib import Path

MARK, DIM, PLAIN = "\x1b[1;32m", "\x1b[2m", "\x1b[0m"
NARROWEST_COLUMN = 28


class Names:
    """The names that count as a mention: whole words, in upper or lower case."""

    def __init__(self, brands: list[str], aliases: list[str]):
        names = brands + aliases
        # The longest first: of "Jina AI" and "Jina" at one place only the first is counted.
        ordered = sorted(set(names), key=len, reverse=True)
        self.described = " and ".join(brands) + (" by any of their names" if aliases else "")
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered))})(?!\w)", re.IGNORECASE)

    @classmethod
    def of_knowledge(cls, folder: Path) -> "Names":
        """Names and aliases from every `brand.toml` of a knowledge folder."""
        names, aliases = [], []
        for file in sorted(folder.glob("*/brand.toml")):
            brand = tomllib.loads(file.read_text(encoding="utf-8"))
            names.append(brand["name"])
            aliases += brand.get("aliases", [])
        if not names:
            raise FileNotFoundError(f"no */brand.toml in {folder}")
        return cls(names, aliases)

    def count(self, text: str) -> int:
        return len(self._pattern.findall(text))

    def marked(self, text: str) -> str:
        return self._pattern.sub(lambda found: f"{MARK}{found[0]}{PLAIN}", text)


class Page:
    """Prints for one width; colours only where they are wanted."""

    def __init__(self, names: Names, width: int, colours: bool):
        self._names, self._colours = names, colours
        self._column = (width - 3) // 2
        self._width = width

    def dim(self, text: str) -> str:
        return f"{DIM}{text}{PLAIN}" if self._colours else text

    def side_by_side(self, titles: tuple[str, str], texts: tuple[str, str]) -> str:
        """Two columns, or one after the other where the page is too narrow for two."""
        if self._column < NARROWEST_COLUMN:
            blocks = [f"{title}:\n" + "\n".join(self._lines(text, self._width)) for title, text in zip(titles, texts)]
            return "\n\n".join(self._coloured(block) for block in blocks)
        columns = [[title, "-" * self._column, *self._lines(text, self._column)] for title, text in zip(titles, texts)]
        height = max(map(len, columns))
        left, right = (column + [""] * (height - len(column)) for column in columns)
        # Padded before it is coloured: colour codes take no room on the page.
        rows = (f"{first:<{self._column}} | {second}".rstrip() for first, second in zip(left, right))
        return "\n".join(self._coloured(row) for row in rows)

    def _coloured(self, text: str) -> str:
        return self._names.marked(text) if self._colours else text

    @staticmethod
    def _lines(text: str, width: int) -> list[str]:
        # A model's output is not let near the terminal's controls.
        clean = re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", " ", text.strip()) or "(nothing)"
        wrapped = [textwrap.wrap(paragraph, width) or [""] for paragraph in clean.split("\n")]
        return [line for lines in wrapped for line in lines]
