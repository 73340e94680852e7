#!/usr/bin/env python3
"""Word error rate of tutti's jsonl against .cache/samples/transcripts.tsv, for each set of recordings. Capitals,
punctuation and digits do not count (tools/spoken.py).

usage: tutti transcribe --format jsonl .cache/samples | tools/score.py
"""
import csv
import json
import pathlib
import sys

from spoken import words

SAMPLES = pathlib.Path(__file__).resolve().parent.parent / ".cache" / "samples"


def read_transcripts(samples=SAMPLES):
    """{absolute path: {"file", "set", "seconds", "text"}}, prompts before calls"""
    with open(samples / "transcripts.tsv", newline="") as table:
        return {str(samples / row["file"]): row for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)}


def edit_distance(said, heard):
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


class Score:
    def __init__(self):
        self.files = self.words = self.errors = 0

    def add(self, said, heard):
        self.files += 1
        self.words += len(words(said))
        self.errors += edit_distance(words(said), words(heard))

    @property
    def percent(self):
        return 100 * self.errors / max(1, self.words)

    def __str__(self):
        return f"{self.percent:5.1f} %  ({self.errors} errors in {self.words} words, {self.files} recordings)"


def score(results, transcripts):
    """Results of tutti, as parsed JSON: {set: Score}. Recordings without a transcript are left out."""
    scores = {}
    for result in results:
        truth = transcripts.get(str(pathlib.Path(result["file"]).absolute()))
        if truth:
            scores.setdefault(truth["set"], Score()).add(truth["text"], result.get("text", ""))
    return scores


def total(scores):
    """One Score of all sets."""
    both = Score()
    for each in scores.values():
        both.files, both.words, both.errors = both.files + each.files, both.words + each.words, both.errors + each.errors
    return both


if __name__ == "__main__":
    for kind, found in score(map(json.loads, sys.stdin), read_transcripts()).items():
        print(f"{kind:8} {found}")
