"""The pictures of docs/routing.md show what the code does.

Run this file to draw them, and the numbers beside them, anew.
"""

from __future__ import annotations

import logging
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from simulated_afternoon import Deployment, simulated

from langchain_reliable import Candidate, Group, ReliableChatModel
from langchain_reliable.observers._timeline_shapes import box, line, text

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "routing.md"
LIMITS, ORDERS = DOCS / "routing_limits.svg", DOCS / "routing_orders.svg"
BEGIN, END = "<!-- afternoon -->", "<!-- end of afternoon -->"
AGAIN = "run python tests/unit_tests/test_docs_routing.py"


# --- three keys with limits -------------------------------------------------------


def three_keys(order, *, rpm=None, sticky=None):
    """140 calls a minute, 200 in the fifth, for keys of 60 with a prompt cache."""
    keys = [Deployment(name=one, rpm=60, warm_seconds=0.7) for one in "abc"]
    members = [Candidate(key, name=f"key {key.name}", rpm=rpm) for key in keys]
    model = ReliableChatModel(models=[Group(members, order=order)], sticky=sticky)
    return simulated(model, keys, calls_a_minute=140, minutes=8, rush=(4, 200))


def limits_told():
    return {
        "one key after the other": three_keys("ordered"),
        '`order="round_robin"`': three_keys("round_robin"),
        "the same and `rpm=54`": three_keys("round_robin", rpm=54),
        'and `sticky="thread_id"`': three_keys(
            "round_robin", rpm=54, sticky="thread_id"
        ),
    }


# --- two members, one of which has a slow spell -----------------------------------

SPELL = (240.0, 480.0)
MINUTES = 12


def slow_spell(order):
    """One call a second for two members; one of them is slow for a third of it."""
    members = [
        Deployment(name="well", seconds=0.8),
        Deployment(name="slow", seconds=0.8, slow=SPELL),
    ]
    model = ReliableChatModel(models=[Group(members, order=order)])
    return simulated(model, members, calls_a_minute=60, minutes=MINUTES)


def orders_told():
    return {
        order: slow_spell(order) for order in ("round_robin", "least_busy", "fastest")
    }


# --- drawing ----------------------------------------------------------------------

FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
STYLE = (
    "<style>svg{color:#1f2328}"
    "@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>"
)
CALM, SOFT, ALARM = "#2a9d6f", "#7c87d8", "#d1495b"


def sheet(width, height, title, parts):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{title}" '
        f'font-family="{FONT}" font-size="12" fill="currentColor">{STYLE}'
        f"{text(0, 14, title, weight='600')}{''.join(parts)}</svg>\n"
    )


def column(x, head):
    return text(x, 44, head, opacity=0.6, size=10)


def limits_drawn(stories):
    parts = [
        column(206, "share of each key"),
        column(364, "429s met"),
        column(484, "calls lost"),
        column(564, "half, and 99 of 100 answers within"),
        column(836, "cache warm"),
    ]
    most = max(story.refused for story in stories.values()) or 1
    lost = max(len(story.lost) for story in stories.values()) or 1
    longest = max(story.share(0.99) for story in stories.values())
    for place, (name, story) in enumerate(stories.items()):
        y = 66 + 30 * place
        parts.append(text(0, y + 4, name.replace("`", "")))
        parts += shares_drawn(206, y, story.shares)
        parts += count_drawn(364, y, story.refused, 70 / most)
        parts += count_drawn(484, y, len(story.lost), 40 / lost)
        parts += times_drawn(564, y, story, 150 / longest)
        parts += [
            box(836, 836 + 60 * story.warm, y, CALM, filled=0.65),
            text(844 + 60 * story.warm, y + 4, f"{story.warm:.0%}"),
        ]
    title = "Three keys of 60 requests a minute; 140 calls a minute, 200 in the fifth"
    return sheet(910, 176, title, parts)


def count_drawn(x, y, count, scale):
    if count:
        yield box(x, x + max(count * scale, 3), y, ALARM)
    yield text(x + (max(count * scale, 3) + 7 if count else 0), y + 4, str(count))


def shares_drawn(x, y, shares):
    for place, share in enumerate(shares):
        end = x + 140 * share
        yield box(x, max(end - 2, x + 1), y, SOFT, filled=(0.85, 0.5, 0.2)[place])
        x = end


def times_drawn(x, y, story, scale):
    """Draw how long half of the answers took, and on to the slowest of a hundred."""
    half, late = story.share(0.5), story.share(0.99)
    yield box(x, x + half * scale, y, CALM)
    yield line(x + half * scale, y, x + late * scale, y, color=CALM, width=2)
    yield line(x + late * scale, y - 5, x + late * scale, y + 5, color=CALM, width=2)
    yield text(x + late * scale + 8, y + 4, f"{half:.1f} s, {late:.1f} s")


def orders_drawn(stories):
    parts = [
        column(110, "requests of each minute: to the one that is well, to the other"),
        column(500, "half, and 99 of 100 answers within"),
    ]
    scale = 360 / MINUTES
    begin, end = (110 + moment / 60 * scale for moment in SPELL)
    bottom = 62 + 62 * len(stories)
    parts.append(
        box(begin, end, 52 + (bottom - 52) / 2, ALARM, filled=0.1, height=bottom - 52)
    )
    parts.append(
        text(
            (begin + end) / 2,
            bottom + 16,
            "the other is six times slower",
            anchor="middle",
            opacity=0.6,
            size=10,
        )
    )
    longest = max(story.share(0.99) for story in stories.values())
    for place, (order, story) in enumerate(stories.items()):
        y = 110 + 62 * place
        parts.append(text(0, y - 16, order))
        parts.append(line(110, y, 470, y, opacity=0.3))
        for minute in range(MINUTES):
            parts += minute_drawn(110 + minute * scale, y, minute, story, scale)
        parts += times_drawn(500, y - 20, story, 180 / longest)
    title = "Two members, 60 calls a minute; one has four slow minutes"
    return sheet(810, bottom + 26, title, parts)


def minute_drawn(x, y, minute, story, scale):
    """Draw what each of two was asked in a minute, one beside the other."""
    for place, one in enumerate(story.deployments):
        count = sum(int(moment // 60) == minute for moment in one._moments)
        height, left = count * 0.6, x + 3 + place * (scale / 2 - 2)
        color, filled = ((CALM, 0.65), (SOFT, 0.85))[place]
        if count:
            yield box(
                left,
                left + scale / 2 - 5,
                y - height / 2,
                color,
                filled=filled,
                height=height,
            )


# --- the page ---------------------------------------------------------------------


def table(stories):
    head = ["429s met", "calls lost", "half of the answers within"]
    head += ["99 of 100 within", "cache warm"]
    lines = [f"| | {' | '.join(head)} |", "| --- " * 6 + "|"]
    lines += [
        f"| {name} | {one.refused} | {len(one.lost)} | {one.share(0.5):.1f} s "
        f"| {one.share(0.99):.1f} s | {one.warm:.0%} |"
        for name, one in stories.items()
    ]
    return "\n".join(lines)


def section(page):
    return re.search(f"{BEGIN}\n\n(.*?)\n\n{END}", page, flags=re.DOTALL)


@pytest.fixture(scope="module")
def keys():
    return limits_told()


@pytest.fixture(scope="module")
def orders():
    return orders_told()


def test_the_keys_are_drawn_as_they_fare(keys):
    assert LIMITS.read_text(encoding="utf-8") == limits_drawn(keys), AGAIN
    ET.fromstring(LIMITS.read_text(encoding="utf-8"))  # noqa: S314 - our own


def test_the_orders_are_drawn_as_they_fare(orders):
    assert ORDERS.read_text(encoding="utf-8") == orders_drawn(orders), AGAIN
    ET.fromstring(ORDERS.read_text(encoding="utf-8"))  # noqa: S314 - our own


def test_the_page_says_what_the_pictures_show(keys):
    found = section(PAGE.read_text(encoding="utf-8"))
    assert found, "the markers are missing"
    assert found[1] == table(keys), AGAIN


def test_limits_avoid_refusals_and_conversations_warm_caches(keys):
    naive, in_turn, limited, sticky = keys.values()
    assert naive.refused > 50
    assert min(len(story.lost) for story in (naive, in_turn)) > 5
    assert not limited.lost
    assert not sticky.lost
    assert limited.refused == sticky.refused == 0
    assert sticky.warm > in_turn.warm + 0.05


def test_fastest_leaves_who_is_slow_and_comes_back(orders):
    in_turn, least_busy, fastest = orders.values()
    p99 = [story.share(0.99) for story in (fastest, least_busy, in_turn)]
    assert p99 == sorted(p99)
    slow = fastest.deployments[1]
    asked = [
        sum(lo <= at < hi for at in slow._moments)
        for lo, hi in ((0, 240), (300, 480), (540, 720))
    ]
    assert asked[1] < min(asked[0], asked[2]) / 4


def main():
    logging.getLogger("langchain_reliable").setLevel(logging.CRITICAL)
    stories = limits_told()
    LIMITS.write_text(limits_drawn(stories), encoding="utf-8")
    ORDERS.write_text(orders_drawn(orders_told()), encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    if BEGIN not in page or END not in page:
        sys.exit(f"{PAGE.name} lacks the markers {BEGIN} and {END}")
    told = f"{BEGIN}\n\n{table(stories)}\n\n{END}"
    page = re.sub(f"{BEGIN}.*{END}", lambda _: told, page, flags=re.DOTALL)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
