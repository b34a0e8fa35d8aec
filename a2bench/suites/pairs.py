"""Cases of two people, made of cases of one."""

from __future__ import annotations

from a2bench.types import Case, Element, Suite

PAIRS = "pairs"
"""The name of such a suite."""


def paired(suite: Suite) -> Suite:
    """Cases of two people: each case's first character beside that of the next of another person.

    Without those to which ``swapped`` could show no two others: a small suite has no such case.
    """
    people = [case.of("character")[0] for case in suite.cases if case.of("character")]
    cases = []
    for index, one in enumerate(people):
        later_first = people[index + 1 :] + people[:index]
        other = next((e for e in later_first if _subject(e) != _subject(one)), None)
        if other is not None:
            prompt = f"A {one.name} and a {other.name} stand side by side."
            cases.append(Case(id=f"{one.id}-{other.id}", prompt=prompt, elements=(one, other)))
    cases = list({case.id: case for case in cases}.values())
    shown = {case.id: set(map(_subject, case.elements)) for case in cases}
    kept = [c for c in cases if any(shown[c.id].isdisjoint(other) for other in shown.values())]
    return Suite(name=PAIRS, version="1", cases=tuple(kept), references=suite.references)


def _subject(element: Element) -> str:
    return element.subject or element.sha256
