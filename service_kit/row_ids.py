"""Row numbers as they come in an address: no larger than a database can hold. May import FastAPI."""

from typing import Annotated

from fastapi import Path, Query

LARGEST_ID = 2**63 - 1

#: The id of a row in the path of an address; another number is a 400.
PathId = Annotated[int, Path(ge=0, le=LARGEST_ID)]
#: How many rows a listing skips.
Offset = Annotated[int, Query(le=LARGEST_ID)]
