"""Numbers in addresses: of subscriptions, deliveries, receivers, requests, workflow records. May import FastAPI."""

from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator

from embedded_xnat.contract.errors import NoSuchObject

#: The largest number that a row can have.
LARGEST = 2**31 - 1


def _of_a_row(number: int) -> int:
    if not 0 < number <= LARGEST:
        raise NoSuchObject("entry with this number")
    return number


#: The number of a row: a text that is none is refused, a number that no row can have is not found.
RowNumber = Annotated[int, Path(), AfterValidator(_of_a_row)]
