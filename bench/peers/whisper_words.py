"""Texts as words that can be compared: what is written in digits here and in letters there is no error of either."""
import re

ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen").split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
            "twelve": "twelfth"}
# As the samples' transcripts have them, or as several words where one of the two writes one.
SPELLINGS = {"ok": "okay", "mr": "mister", "dr": "doctor", "voicemail": "voice mail",
             "fourtieth": "fortieth", "&": "and", "%": "percent"}


def number_words(number):
    """Of a number below a million, as one reads it aloud."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (" " + ONES[number % 10] if number % 10 else "")
    if number < 1000:
        rest = number % 100
        return ONES[number // 100] + " hundred" + (" " + number_words(rest) if rest else "")
    rest = number % 1000
    return number_words(number // 1000) + " thousand" + (" " + number_words(rest) if rest else "")


def digits_aloud(digits):
    """1940 is "nineteen forty"; numbers with a leading zero or of more than six digits are read one by one."""
    if digits.startswith("0") or len(digits) > 6:
        return " ".join(ONES[int(digit)] for digit in digits)
    if len(digits) == 4 and digits[2] != "0" and digits[1:] != "000":
        return number_words(int(digits[:2])) + " " + number_words(int(digits[2:]))
    return number_words(int(digits))


def ordinal_aloud(digits):
    *before, last = digits_aloud(digits).split()
    if last in ORDINALS:
        last = ORDINALS[last]
    else:
        last = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return " ".join([*before, last])


def words(text):
    text = text.lower().replace("’", "'")
    text = re.sub(r"(?<=\d),(?=\d\d\d)", "", text)
    text = re.sub(r"(\d+)(?:st|nd|rd|th)\b", lambda match: f" {ordinal_aloud(match[1])} ", text)
    text = re.sub(r"\d+", lambda match: f" {digits_aloud(match[0])} ", text)
    text = re.sub(r"[^\w\s'&%]", " ", text)
    found = (word.strip("'") for word in text.split())
    return " ".join(SPELLINGS.get(word, word) for word in found if word).split()
