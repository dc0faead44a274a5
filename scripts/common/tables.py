"""Text tables and progress bars on the terminal, tables in documents."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from scripts.common.bars import tqdm


@contextmanager
def clip_bar(title: str, n_clips: int) -> Iterator[Callable[[int], object]]:
    """A progress bar; yields what is called with the number of clips done."""
    with tqdm(desc=title, total=n_clips, unit="clip") as bar:
        yield lambda n_done: bar.update(n_done - bar.n)


@contextmanager
def share_bars() -> Iterator[Callable[[str, float], None]]:
    """A progress bar for each title; yields what is called with a title and the share that is done."""
    bars: dict[str, tqdm] = {}

    def show(title: str, share: float) -> None:
        if title not in bars:
            bars[title] = stack.enter_context(tqdm(desc=title, total=1.0, bar_format="{l_bar}{bar}| {elapsed}"))
        bars[title].update(share - bars[title].n)
        if share >= 1:
            bars[title].close()

    with ExitStack() as stack:
        yield show


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", n_left: int = 1) -> None:
    """Prints columns as wide as their widest cell, two spaces apart.

    Args:
        n_left: number of columns that are aligned left; the others are aligned right.
    """
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if title:
        print(f"\n{title}")
    for line in lines:
        cells = (
            cell.ljust(width) if i < n_left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def fill_blocks(text: str, blocks: dict[str, str]) -> str:
    """A document with the content between each pair of marks, <!-- name --> and <!-- /name -->, replaced."""
    for name, block in blocks.items():
        marks = re.compile(rf"(<!-- {name} -->).*?(<!-- /{name} -->)", re.S)
        text = marks.sub(lambda found, block=block: f"{found[1]}\n\n{block}\n\n{found[2]}", text)
    return text
