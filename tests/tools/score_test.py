"""What counts as an error of a recogniser, and what does not.

usage: score_test.py
"""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools"))
import score
from spoken import words


class WordsTest(unittest.TestCase):
    def test_capitals_and_punctuation_are_no_words(self):
        self.assertEqual(words("Please hold, Mr. O’Neil -- re-enter 'it'!"),
                         "please hold mister o'neil re enter it".split())
        self.assertEqual(words("At 5 p.m."), "at five p m".split())

    def test_digits_are_the_words_that_are_read(self):
        for written, spoken in {"0": "zero", "7": "seven", "12": "twelve", "40": "forty", "99": "ninety nine",
                                "100": "one hundred", "121": "one hundred twenty one", "1940": "nineteen forty",
                                "2,005": "two thousand five", "2000": "two thousand", "007": "zero zero seven",
                                "12000": "twelve thousand", "5551234": "five five five one two three four"}.items():
            self.assertEqual(" ".join(words(written)), spoken)

    def test_ordinals_too(self):
        for written, spoken in {"1st": "first", "2nd": "second", "3rd": "third", "12th": "twelfth", "20th": "twentieth",
                                "45th": "forty fifth", "90th": "ninetieth", "100th": "one hundredth"}.items():
            self.assertEqual(" ".join(words(written)), spoken)

    def test_chinese_is_counted_by_characters(self):
        self.assertEqual(words("你好，tutti。"), ["你", "好", "tutti"])

    def test_words_that_differ_stay_different(self):
        self.assertNotEqual(words("forty"), words("14"))
        self.assertNotEqual(words("it's"), words("its"))


class ScoreTest(unittest.TestCase):
    def test_a_word_that_is_missing_added_or_replaced_is_an_error(self):
        found = score.Score()
        found.add("one two three four", "1, 2! 4 five")
        self.assertEqual((found.errors, found.words), (2, 4))


if __name__ == "__main__":
    unittest.main()
