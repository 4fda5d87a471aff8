"""What columns of ratings are called in the tables that researchers have."""

from __future__ import annotations

import re
from collections.abc import Sequence

NAMES = {
    "user": """
        userid user uid u useridx userindex customerid customer reviewerid reviewer memberid member
        accountid profileid raterid authorid username reviewusername
        reviewprofilename profilename usermd5
    """,
    "item": """
        itemid item iid i itemidx itemindex movieid movie productid product parentasin asin bookid
        book isbn songid song trackid track artistid artist businessid sku articleid beerid
        beerbeerid gameid game recipeid animeid anime hotelid restaurantid placeid videoid workid
        jokeid joke
    """,
    "rating": """
        rating ratings stars star score r overall overallrating reviewoverall reviewrating
        reviewscore bookrating userrating grade points preference value
        myscore
    """,
    "time": """
        timestamp time datetime date ts t unixreviewtime unixtime reviewtime reviewdate createdat
        created ratedat ratedon dateadded epoch when rateddate ratingdate ratingtime
        ratingtimestamp reviewedat reviewedon eventtime addedat updatedat updated lastmodified
    """,
    "part": "part split set subset partition",
}
"""What columns of each role are called, in lower case and without signs; the surest first."""


def best_match(names: Sequence[str], role: str) -> str | None:
    """The column that most surely plays a role; None where none looks like it."""
    known = NAMES[role].split()
    plain = {plain_name(name): name for name in reversed(names)}
    return next((plain[name] for name in known if name in plain), None)


def plain_name(name: str) -> str:
    """In lower case, without signs, and without the types that RecBole writes behind names."""
    name = re.sub(r":(token|float)(_seq)?$", "", name.lower())
    return re.sub(r"[^a-z0-9]", "", name)
