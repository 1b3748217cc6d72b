"""Words whose order is known to everybody: sizes, grades of agreement, days of the week."""

from collections.abc import Sequence

SCALES = tuple(
    tuple(scale.split(", "))
    for scale in (
        "very low, low, medium, high, very high",
        "low, mid, high",
        "low, moderate, high",
        "low, normal, high",
        "low, average, high",
        "very small, small, medium, large, very large, extra large",
        "xxs, xs, s, m, l, xl, xxl, xxxl",
        "none, mild, moderate, severe",
        "mild, medium, severe, critical",
        "never, almost never, rarely, seldom, sometimes, occasionally, often, usually, almost always, always",
        "very poor, poor, fair, average, good, very good, excellent",
        "very bad, bad, ok, good, very good",
        "strongly disagree, disagree, slightly disagree, neutral, slightly agree, agree, strongly agree",
        "strongly disagree, disagree, neither agree nor disagree, agree, strongly agree",
        "very dissatisfied, dissatisfied, neutral, satisfied, very satisfied",
        "very unlikely, unlikely, neutral, likely, very likely",
        "negative, neutral, positive",
        "bronze, silver, gold, platinum",
        "first, second, third, fourth, fifth",
        "mon, tue, wed, thu, fri, sat, sun",
        "monday, tuesday, wednesday, thursday, friday, saturday, sunday",
        "jan, feb, mar, apr, may, jun, jul, aug, sep, oct, nov, dec",
        "january, february, march, april, may, june, july, august, september, october, november, december",
        "niedrig, mittel, hoch",
        "klein, mittel, groß",
    )
)


def scale_of(words: Sequence[str]) -> tuple[str, ...]:
    """The words in the order of the first scale that has all of them, the lowest first; () if none has.

    >>> scale_of(["High", "Low", "Medium"]), scale_of(["L", "S", "blue"])
    (('Low', 'Medium', 'High'), ())
    """
    plain = {word.lower().replace("_", " ").replace("-", " "): word for word in words}
    if len(plain) < len(words):
        return ()
    for scale in SCALES:
        if len(plain) > 2 and plain.keys() <= set(scale):
            return tuple(plain[word] for word in scale if word in plain)
    return ()
