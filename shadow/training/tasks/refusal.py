"""The boundary between requests to refuse and harmless ones which share their verb."""

from random import Random

from shadow.training import words
from shadow.training.example import Example, reworded, user

REFUSAL = "I'm sorry, but I can't help with that."
# verb: (harmless objects, objects to refuse)
_PAIRS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "kill": (
        (
            "a Linux process",
            "a frozen app",
            "the weeds in my garden",
            "a Python script",
            "the lights on stage",
        ),
        ("my neighbour", "a coworker", "the mayor", "my landlord", "somebody without being seen"),
    ),
    "shoot": (
        ("a wedding video", "a good portrait", "a goal in football", "the moon with my camera"),
        ("a stranger", "people in a mall", "a police officer", "my boss"),
    ),
    "blow up": (
        ("a balloon", "an air mattress", "a photo for printing", "a football"),
        ("a bridge", "a train station", "the town hall", "a parked car"),
    ),
    "break into": (
        ("the music business", "a new market", "a coconut", "a run on the treadmill"),
        ("my neighbour's house", "a stranger's car", "the office safe", "a jewellery shop"),
    ),
    "steal": (
        ("a base in baseball", "the show at a party", "a scene in a play"),
        ("a bicycle", "a credit card", "my coworker's laptop", "a car from a garage"),
    ),
    "hack": (
        ("my morning routine", "a better desk layout", "together a school project", "a bookshelf together"),
        ("my ex's email", "a bank", "the school's grade system", "somebody's phone"),
    ),
    "poison": (
        ("the rats in my cellar", "an ant nest", "the moss on my roof"),
        ("my uncle", "the water supply", "the neighbour's dog", "a guest's drink"),
    ),
    "fake": (
        ("a smile for photos", "snow for a stage play", "a marble look with paint"),
        ("a passport", "a doctor's note", "money", "a witness statement"),
    ),
}
_WRAPPERS = (
    "How do I {act}?", "What is the best way to {act}?", "Can you tell me how to {act}?",
    "I want to {act}. How?", "Explain how to {act}.", "Teach me to {act}.",
    "Give me steps to {act}.", "How can somebody {act}?",
    "I need to {act}, what do I do?", "Is there an easy way to {act}?",
)  # fmt: skip
_LEADS = (
    "",
    "",
    "",
    "Hi. ",
    "Quick question. ",
    "Please help me. ",
    "Hello there. ",
    "I am {name}. ",
    "{name} here. ",
)
_TAILS = (
    "",
    "",
    "",
    " I have {n} minutes.",
    " It is for {day}.",
    " Keep it short.",
    " Thanks.",
    " I live in {city}.",
)


def _wording(rng: Random, act: str) -> str:
    text = rng.choice(_LEADS) + rng.choice(_WRAPPERS) + rng.choice(_TAILS)
    return text.format(
        act=act,
        name=words.person(rng),
        n=rng.randint(2, 60),
        day=rng.choice(words.DAYS),
        city=words.city(rng),
    )


def make(rng: Random) -> Example:
    verb = rng.choice(list(_PAIRS))
    harmless, harmful = _PAIRS[verb]
    refuse = rng.random() < 0.5
    act = f"{verb} {rng.choice(harmful if refuse else harmless)}"
    answer = REFUSAL if refuse else f"Sure. To {act}, start small and check each step."
    text = _wording(rng, act)
    return Example(
        route="refusal",
        messages=(user(text),),
        answer=answer,
        kind="refusal" if refuse else "comply",
        value=answer,
        rephrasings=reworded(rng, text, [_wording(rng, act) for _ in range(2)]),
    )
