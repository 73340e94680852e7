"""English text as the words that are spoken, so that a scorer sees no error where one writes "16" and another "sixteen".

A transcript says what was heard, a recogniser writes as people write: with capitals, punctuation and digits. Both sides
go through here. What is left out: whether a number of three and more digits was said as a number or digit by digit.
"""
import re

ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen").split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
            "twelve": "twelfth"}
# One way to write what is written in two, the transcripts' slips among them.
SPELLINGS = {"ok": "okay", "mr": "mister", "mrs": "missus", "dr": "doctor", "voicemail": "voice mail",
             "fourtieth": "fortieth", "witheld": "withheld", "indentified": "identified", "&": "and", "%": "percent"}


def number(value):
    """Below a million, as it is read aloud."""
    for unit, name in ((1000, "thousand"), (100, "hundred")):
        if value >= unit:
            rest = f" {number(value % unit)}" if value % unit else ""
            return f"{number(value // unit)} {name}{rest}"
    if value < 20:
        return ONES[value]
    return TENS[value // 10] + (f" {ONES[value % 10]}" if value % 10 else "")


def digits(text):
    """1940 is "nineteen forty"; what begins with 0 or has more than six digits is read digit by digit."""
    if text.startswith("0") or len(text) > 6:
        return " ".join(ONES[int(digit)] for digit in text)
    if len(text) == 4 and text[2] != "0" and text[1] != "0":
        return f"{number(int(text[:2]))} {number(int(text[2:]))}"
    return number(int(text))


def ordinal(text):
    *before, last = digits(text).split()
    last = ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return " ".join([*before, last])


def words(text):
    """A Chinese character is a word of its own."""
    text = text.lower().replace("’", "'")
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"([0-9]+)(?:st|nd|rd|th)\b", lambda found: f" {ordinal(found[1])} ", text)
    text = re.sub(r"[0-9]+", lambda found: f" {digits(found[0])} ", text)
    text = re.sub(r"([\u3400-\u9fff])", r" \1 ", text)
    text = re.sub(r"([&%])", r" \1 ", text)
    text = re.sub(r"[^\w\s'&%]|_", " ", text)
    found = (word.strip("'") for word in text.split())
    return " ".join(SPELLINGS.get(word, word) for word in found if word).split()
