"""How a written English token may be said: "$43,000" is forty three thousand dollars."""

import re
import unicodedata
from collections.abc import Callable, Iterator

Reading = tuple[str, ...]
"""Words in the order they are said."""

ONES = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
TENS = ("", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"))
IRREGULAR_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds", "¥": "yen", "₹": "rupees"}
MAGNITUDES = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
}
UNITS = {
    "km": "kilometers",
    "kg": "kilograms",
    "cm": "centimeters",
    "mm": "millimeters",
    "gb": "gigabytes",
    "mb": "megabytes",
    "hz": "hertz",
    "ghz": "gigahertz",
    "mph": "miles per hour",
    "ft": "feet",
    "am": "a m",
    "pm": "p m",
    "x": "times",
}
SYMBOLS = {
    "&": "and",
    "+": "plus",
    "=": "equals",
    "@": "at",
    "%": "percent",
    "#": "hashtag",
    "°": "degrees",
    "×": "times",
    "<": "less than",
    ">": "greater than",
    "§": "section",
}
ADDRESS_SIGNS = {".": "dot", "-": "dash", "/": "slash", "_": "underscore", "@": "at", "#": "hash"}
ABBREVIATIONS = {
    "mr": ["mister"],
    "mrs": ["missus"],
    "dr": ["doctor", "drive"],
    "st": ["saint", "street"],
    "vs": ["versus"],
    "etc": ["et cetera"],
    "prof": ["professor"],
    "jr": ["junior"],
    "sr": ["senior"],
    "mt": ["mount"],
    "approx": ["approximately"],
}
FRACTIONS = {
    "1/2": ["one half", "a half", "half"],
    "1/3": ["one third", "a third"],
    "2/3": ["two thirds"],
    "1/4": ["one quarter", "a quarter"],
}
MOST_DIGITS = 15
VOWELS = set("aeiouy")
LONG_CODE = 7
"""From this many digits on, a number without separators is read digit by digit."""

NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
ADDRESS = re.compile(
    r"(?:[a-z]+://|www\.)\S+|\S+@\S+\.\S+|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/\S*"
)
DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|io|ai|gov|edu|tv|co|dev|app)")


def cardinal(number: int) -> str:
    """A whole number below 10^15 in words: 1984 is one thousand nine hundred eighty four."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (f" {ONES[number % 10]}" if number % 10 else "")
    if number < 1000:
        rest = f" {cardinal(number % 100)}" if number % 100 else ""
        return f"{ONES[number // 100]} hundred{rest}"
    for size, name in SCALES:
        if number >= size:
            rest = f" {cardinal(number % size)}" if number % size else ""
            return f"{cardinal(number // size)} {name}{rest}"
    raise AssertionError("unreachable: a thousand is the smallest scale")


def ordinal(number: int) -> str:
    """The same as a rank: 21 is twenty first."""
    *head, last = cardinal(number).split()
    if last in IRREGULAR_ORDINALS:
        last = IRREGULAR_ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return " ".join([*head, last])


def digits(text: str) -> str:
    return " ".join(ONES[int(digit)] for digit in text)


def year(number: int) -> str:
    """A year as two pairs: 1905 is nineteen oh five, 1900 nineteen hundred."""
    high, low = divmod(number, 100)
    if low == 0:
        return f"{cardinal(high)} hundred"
    return f"{cardinal(high)} {'oh ' + ONES[low] if low < 10 else cardinal(low)}"


def readings(token: str) -> list[list[Reading]]:
    """What is said for a token, part after part; each part is a list of possible readings.

    A token without a letter, digit or speakable sign (a dash, a note, an emoji) is not said.
    """
    text = unicodedata.normalize("NFKC", token.replace("’", "'")).lower().replace("⁄", "/")
    text = text.strip("\"'`.,;:!?()[]{}«»“”„‘…-–—¿¡|♪♫")
    parts = list(_parts(text, upper=token.isupper()))
    return [part for part in parts if part and part[0]]


def _parts(text: str, *, upper: bool) -> Iterator[list[Reading]]:
    if not text:
        return
    if ADDRESS.fullmatch(text) or DOMAIN.fullmatch(text):
        yield from _address(text)
        return
    number = _number(text)
    if number:
        yield from _split(number)
        return
    if text.replace(".", "") in ABBREVIATIONS and len(text) > 1:
        yield from _split(ABBREVIATIONS[text.replace(".", "")])
        return
    if re.fullmatch(r"(?:[a-z]\.)+[a-z]?", text):
        yield from _split([" ".join(text.replace(".", ""))])
        return
    for piece in re.findall(
        rf"{NUMBER}(?:st|nd|rd|th|s)?(?![a-z0-9])|[^\W\d_]+(?:'[^\W\d_]+)*|\d+|\S", text
    ):
        yield from _piece(piece, upper=upper)


def _piece(piece: str, *, upper: bool) -> Iterator[list[Reading]]:
    if piece[0].isdigit():
        yield from _split(_number(piece) or [digits(re.sub(r"\D", "", piece))])
    elif piece[0].isalpha():
        letters = piece.isascii() and piece.isalpha() and 1 < len(piece) <= 5
        spelled = letters and (upper or not VOWELS & set(piece))
        yield [(piece,), tuple(piece)] if spelled else [(piece,)]
    elif piece in SYMBOLS:
        yield from _split([SYMBOLS[piece]])


def _address(text: str) -> Iterator[list[Reading]]:
    text = re.sub(r"^[a-z]+://", "", text).rstrip("/")
    for piece in re.findall(r"[a-z]+|\d+|\S", text):
        if piece == "www":
            yield [("w", "w", "w")]
        elif piece.isdigit():
            yield from _split(_number(piece) or [digits(piece)])
        elif piece.isalpha():
            yield [(piece,)]
        elif piece in ADDRESS_SIGNS:
            yield [(ADDRESS_SIGNS[piece],)]


def _number(text: str) -> list[str]:
    """Readings of a token that is a number in some dress, likeliest first; none if it is not."""
    for pattern, read in FORMS:
        if found := pattern.fullmatch(text):
            return read(found)
    return []


def _money(found: re.Match[str]) -> list[str]:
    amount = _amount(found[2]) + (f" {MAGNITUDES[found[3]]}" if found[3] else "")
    return [f"{amount} {CURRENCIES[found[1]]}", amount]


def _rank(found: re.Match[str]) -> list[str]:
    return [ordinal(int(found[1])) if len(found[1]) < MOST_DIGITS else digits(found[1])]


def _measure(found: re.Match[str]) -> list[str]:
    return [f"{_amount(found[1])} {UNITS.get(found[2]) or MAGNITUDES[found[2]]}"]


def _plain_number(text: str) -> list[str]:
    """A number of digits alone may be an amount, a year or a code."""
    if not text.isdigit():
        return [_amount(text)]
    number = int(text)
    if (len(text) >= LONG_CODE and number % 1000) or len(text) >= MOST_DIGITS or text[0] == "0":
        return [digits(text)]
    plain = cardinal(number)
    result = [plain]
    if len(text) == 4 and text[1] != "0":
        result.insert(0 if text[0] == "1" else 1, year(number))
    elif re.fullmatch(r"20[1-9]\d", text):
        result.insert(0, year(number))
    elif len(text) > 2 and number % 1000:
        result.append(digits(text))
    if number > 100 and number % 100:
        low = cardinal(number % 100)
        result.append(f"{plain.removesuffix(low)}and {low}")
    return result


def _amount(text: str) -> str:
    whole, _, decimals = text.replace(",", "").partition(".")
    said = cardinal(int(whole)) if len(whole) < MOST_DIGITS else digits(whole)
    return f"{said} point {digits(decimals)}" if decimals else said


def _decade(found: re.Match[str]) -> list[str]:
    """1990s and 90s: nineteen nineties, or nineties alone."""
    number = int(found[1])
    *head, last = (year(number) if number > 99 else cardinal(number)).split()
    decade = last[:-1] + "ies" if last.endswith("y") else last + "s"
    if number > 99:
        return [" ".join([*head, decade])]
    return [decade, f"nineteen {decade}"]


def _clock(found: re.Match[str]) -> list[str]:
    hour, minute = cardinal(int(found[1])), int(found[2])
    half_day = f" {found[3][0]} m" if found[3] else ""
    if minute:
        low = f"oh {ONES[minute]}" if minute < 10 else cardinal(minute)
        return [f"{hour} {low}{half_day}"]
    return [f"{hour}{half_day}"] if half_day else [f"{hour} o'clock", hour]


def _split(choices: list[str]) -> Iterator[list[Reading]]:
    """One sure reading is a part for each word, so that the speaker may pause between them."""
    if len(choices) == 1:
        for word in choices[0].split():
            yield [(word,)]
    else:
        yield [tuple(choice.split()) for choice in choices]


FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], list[str]]], ...] = (
    (re.compile(r"[12]/[234]"), lambda found: FRACTIONS.get(found[0], [])),
    (re.compile(r"(\d{1,2}):(\d\d)([ap]\.?m)?"), _clock),
    (re.compile(rf"([$€£¥₹])({NUMBER})(k|m|mn|b|bn|t)?"), _money),
    (re.compile(rf"({NUMBER})%"), lambda found: [f"{_amount(found[1])} percent"]),
    (re.compile(r"(\d+)(?:st|nd|rd|th)"), _rank),
    (re.compile(r"(\d0|\d{3}0)s"), _decade),
    (re.compile(rf"({NUMBER})({'|'.join(UNITS)}|k|bn?|mn?)"), _measure),
    (re.compile(NUMBER), lambda found: _plain_number(found[0])),
)
