"""The report of a result: one HTML file to open from disk, CSV for tables, and the JSON itself."""

from pathlib import Path


def write_report(folder, result):
    return Path()
