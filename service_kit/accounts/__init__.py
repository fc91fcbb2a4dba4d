"""Accounts of all services: who a person or a program is and what it may do.

`Accounts` (service.py) is the whole of it over one database; `guards` are the FastAPI dependencies; `web` the pages.
"""

from service_kit.accounts.domain import Grant, Principal, Role, Scope, TokenRecord, UserRecord
from service_kit.accounts.service import Accounts

__all__ = ["Accounts", "Grant", "Principal", "Role", "Scope", "TokenRecord", "UserRecord"]
