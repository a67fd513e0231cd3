"""Short answers: from context, from earlier turns, from real word problems, and by small arithmetic."""

from collections.abc import Callable
from random import Random

from shadow.training import real_text, words
from shadow.training.example import Example, Message, assistant, reworded, system, user


def _example(rng: Random, before: tuple[Message, ...], asks: list[str], answer: str) -> Example:
    rng.shuffle(asks)
    return Example(
        route="chat",
        messages=(*before, user(asks[0])),
        answer=answer,
        kind="text",
        value=answer,
        rephrasings=reworded(rng, asks[0], asks[1:]),
    )


def _context(rng: Random) -> Example:
    shop, place, boss, hour = words.coined(rng), words.city(rng), words.person(rng), words.clock(rng)
    facts = [f"{shop} is in {place}.", f"It opens at {hour}.", f"The manager is {boss}."]
    rng.shuffle(facts)
    facts.sort(key=lambda fact: not fact.startswith(shop))
    asks, answer = rng.choice(
        (
            (
                ["Where is it?", "Which city is the shop in?", f"Where can I find {shop}?"],
                f"It is in {place}.",
            ),
            (
                ["When does it open?", f"From what time is {shop} open?", "What time do you open?"],
                f"It opens at {hour}.",
            ),
            (
                ["Who runs it?", "What is the manager called?", f"Who is in charge of {shop}?"],
                f"The manager is {boss}.",
            ),
        )
    )
    return _example(rng, (system(" ".join(facts)),), list(asks), answer)


def _arithmetic(rng: Random) -> Example:
    who, what = rng.choice(words.FIRST), rng.choice(words.THINGS)
    a, b = rng.randint(1, 9), rng.randint(1, 3)
    if rng.random() < 0.5:
        told = rng.choice(
            (f"{who} has {a} {what} and buys {b} more.", f"{who} made {a} {what} in May and {b} in June.")
        )
        answer = f"{a} + {b} = {a + b}. The answer is {a + b}."
    else:
        a += b
        told = rng.choice((f"{who} had {a} {what} and sold {b} of them.", f"Of {a} {what}, {who} gives away {b}."))
        answer = f"{a} - {b} = {a - b}. The answer is {a - b}."
    asks = [
        f"{told} How many {what} are there now?",
        f"{told} What is the number of {what}?",
        f"{told} How many {what} does that make?",
    ]
    return _example(rng, (), asks, answer)


_TOPICS: dict[str, Callable[[Random], str]] = {
    "name": words.person,
    "city": words.city,
    "order number": lambda rng: str(rng.randint(1000, 9999)),
    "day": lambda rng: rng.choice(words.DAYS),
}


def _memory(rng: Random) -> Example:
    """The user states two things, may correct one of them, and asks for one of them."""
    first, second = rng.sample(list(_TOPICS), 2)
    known = {first: _TOPICS[first](rng), second: _TOPICS[second](rng)}
    turns = [
        user(f"My {first} is {known[first]} and my {second} is {known[second]}."),
        assistant(f"Noted: {first} {known[first]}, {second} {known[second]}."),
    ]
    if rng.random() < 0.5:
        changed = rng.choice((first, second))
        known[changed] = _TOPICS[changed](rng)
        fix = rng.choice(("Sorry, my {t} is {v}.", "No, the {t} is {v}.", "Correction: the {t} is {v}."))
        turns += [
            user(fix.format(t=changed, v=known[changed])),
            assistant(f"Noted: {first} {known[first]}, {second} {known[second]}."),
        ]
    wanted = rng.choice((first, second))
    asks = [f"What is my {wanted}?", f"Which {wanted} do you have?", f"Tell me my {wanted} again."]
    return _example(rng, tuple(turns), asks, f"Your {wanted} is {known[wanted]}.")


def _correction(rng: Random) -> Example:
    """The answer is the whole note again, with the corrected part replaced."""
    first, second = rng.sample(list(_TOPICS), 2)
    known = {first: _TOPICS[first](rng), second: _TOPICS[second](rng)}
    turns = (
        user(f"My {first} is {known[first]} and my {second} is {known[second]}."),
        assistant(f"Noted: {first} {known[first]}, {second} {known[second]}."),
    )
    changed = rng.choice((first, second))
    known[changed] = _TOPICS[changed](rng)
    asks = [
        text.format(t=changed, v=known[changed])
        for text in ("Sorry, my {t} is {v}.", "No, the {t} is {v}.", "Correction: the {t} is {v}.")
    ]
    return _example(rng, turns, asks, f"Noted: {first} {known[first]}, {second} {known[second]}.")


def _first_number(rng: Random) -> Example:
    text, number = real_text.sentence_with_number(rng)
    asks = [
        f"{text} What is the first number here?",
        f"{text} Which number comes first?",
        f"{text} Name the first number.",
    ]
    return _example(rng, (), asks, f"The first number is {number}.")


_KINDS = (_context, _context, _arithmetic, _arithmetic, _memory, _memory, _correction, _first_number)


def make(rng: Random) -> Example:
    return rng.choice(_KINDS)(rng)
