"""Word pools and made-up names. Made-up ones are never learnt by heart, so a right answer was copied."""

from random import Random

FIRST = (
    "Ana", "Ben", "Carla", "David", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kira", "Liam",
    "Maya", "Noah", "Olga", "Pavel", "Quinn", "Rosa", "Sam", "Tara", "Umar", "Vera", "Walt", "Xena",
    "Yusuf", "Zoe", "Amir", "Bella", "Chen", "Dora", "Emil", "Fiona",
)  # fmt: skip
CITIES = (
    "Oslo", "Lima", "Cairo", "Paris", "Berlin", "Madrid", "Quito", "Tokyo", "Dublin", "Vienna", "Zurich",
    "Boston", "Denver", "Austin", "Seoul", "Prague", "Lisbon", "Athens", "Warsaw", "Milan", "Geneva",
    "Havana", "Nairobi", "Perth", "Leeds", "Porto",
)  # fmt: skip
COLOURS = (
    "red", "blue", "green", "black", "white", "yellow", "grey", "brown", "purple", "orange", "pink",
    "silver",
)  # fmt: skip
THINGS = (
    "mugs", "chairs", "lamps", "desks", "notebooks", "pens", "cables", "monitors", "keyboards", "bottles",
    "blankets", "towels", "plates", "bowls", "shirts", "jackets", "gloves", "boxes", "bags", "batteries",
    "filters", "brackets", "hinges", "valves",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
LANGUAGES = (
    "French", "German", "Spanish", "Italian", "Polish", "Dutch", "Czech", "Greek", "Turkish", "Korean",
)  # fmt: skip
CURRENCIES = ("USD", "EUR", "GBP", "JPY", "CHF", "SEK", "NOK", "CAD")

# Frequent enough in the generators that the tokenizer keeps each of these as one token.
WHOLE = (*COLOURS, *THINGS, *DAYS)

_HEADS = (
    "b", "br", "c", "d", "dr", "f", "g", "gr", "h", "j", "k", "kl", "l", "m", "n", "p", "pr", "r", "s",
    "st", "t", "tr", "v", "w", "z",
)  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ei", "ou")
_TAILS = ("n", "r", "l", "s", "k", "m", "t", "x", "nd", "rk", "st", "lm")
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def coined(rng: Random) -> str:
    """A capitalised word of two or three syllables which no list contains."""
    syllables = (rng.choice(_HEADS) + rng.choice(_VOWELS) for _ in range(rng.randint(1, 2)))
    return ("".join(syllables) + rng.choice(_HEADS) + rng.choice(_VOWELS) + rng.choice(_TAILS)).capitalize()


def person(rng: Random) -> str:
    name = rng.choice(FIRST)
    return f"{name} {coined(rng)}" if rng.random() < 0.6 else name


def city(rng: Random) -> str:
    return rng.choice(CITIES) if rng.random() < 0.7 else coined(rng)


def thing(rng: Random) -> str:
    noun = rng.choice(THINGS)
    return f"{rng.choice(COLOURS)} {noun}" if rng.random() < 0.7 else noun


def code(rng: Random) -> str:
    """A part or serial number: groups of letters and digits, 5 to 10 characters without the dashes."""
    shape = rng.choice(
        ("LL-DDDD", "LLL-DDD", "DD-LLL-DD", "LDLD-DD", "LLDDDD-L", "L-DDDD-LL", "DDDD-LL", "LL-DD-LL-DD")
    )
    pick = {"L": _LETTERS, "D": "0123456789"}
    return "".join(rng.choice(pick[mark]) if mark in pick else mark for mark in shape)


def clock(rng: Random) -> str:
    return f"{rng.randint(6, 22)}:{rng.choice(('00', '15', '30', '45'))}"
