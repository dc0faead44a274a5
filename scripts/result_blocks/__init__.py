"""Blocks of docs/results.md and the README, as Markdown: a function for each, from the result files."""
