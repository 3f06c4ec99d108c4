"""True and false in words: the spellings that say the same, so that a file may spell them as another did not."""

from collections.abc import Collection, Iterable, Mapping, Sequence

# What programs and people write, and what spreadsheets make of TRUE and FALSE in other languages.
WORDS = {
    word: says
    for says, words in (
        (True, "true yes on y t ja oui si sí sim wahr vrai vero verdadero verdadeiro waar prawda pravda истина да"),
        (False, "false no off n f nein non não falsch faux falso onwaar fałsz nepravda ложь нет"),
    )
    for word in words.split()
}


def truths(levels: Collection[str]) -> dict[str, bool]:
    """What each level says, if all are words for true and false; else nothing. Y and T may be codes where both are."""
    if len(levels) > 2 * len(WORDS):
        return {}
    plain = {level: level.strip().lower() for level in levels}
    letters = {word for word in plain.values() if len(word) == 1}
    if not all(word in WORDS for word in plain.values()) or not (letters <= set("yn") or letters <= set("tf")):
        return {}
    return {level: WORDS[word] for level, word in plain.items()}


def one_spelling(counts: Mapping[str, float]) -> dict[str, str]:
    """Where some levels say the same, true or false: each as the most frequent that says what it says; else nothing."""
    says = truths(counts)
    usual = {says[level]: level for level in sorted(says, key=lambda level: (counts[level], level))}
    if len(says) == len(usual) or (len(usual) == 1 and len({level.lower() for level in says}) > 1):
        return {}
    return {level: usual[each] for level, each in says.items()}


def places_of(known: Sequence[str], given: Iterable[str | None]) -> dict[str | None, int]:
    """The place in `known` of each of its levels, and of those given that only spell one otherwise.

    Those are levels with spaces around them and, where all known ones are words for true and false, other such words.
    """
    places: dict[str | None, int] = {level: place for place, level in enumerate(known)}
    new = {level for level in given if level is not None and level not in places}
    if not new:
        return places
    bare = {level.strip(): place for place, level in enumerate(known)}
    says = {each: places[level] for level, each in truths(known).items()}
    for level in new:
        said = truths([*known, level]).get(level, {"1": True, "0": False}.get(level.strip()))
        place = bare.get(level.strip(), says.get(said) if said is not None else None)
        if place is not None:
            places[level] = place
    return places
