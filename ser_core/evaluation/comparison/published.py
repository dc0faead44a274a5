"""Published tables, as fractions."""

import json

from ser_core import paths


def published_table(split_name: str) -> dict | None:
    """The published table of a test part: title, source, note and rows by model, values in [0, 1]; None without one.

    Without the file, or with a damaged one, as without any: the results themselves can be shown all the same.
    """
    try:
        table = json.loads(paths.PUBLISHED_TABLES.read_text()).get(split_name)
    except (OSError, ValueError):
        return None
    return table and table | {"rows": {model: _percent_to_fraction(row) for model, row in table["rows"].items()}}


def _percent_to_fraction(percents):
    """Every number of a published row divided by 100."""
    if isinstance(percents, dict):
        return {name: _percent_to_fraction(value) for name, value in percents.items()}
    if isinstance(percents, list):
        return [_percent_to_fraction(value) for value in percents]
    return percents if isinstance(percents, str) else round(percents / 100, 4)
