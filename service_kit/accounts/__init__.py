"""Accounts of all services: who a person or a program is and what it may do.

Here are the names of `domain`, which know no framework, so that a service's own domain may import them. `service.Accounts`
is the whole of it over one database; `guards` are the FastAPI dependencies; `web` the pages.
"""

from service_kit.accounts.domain import Grant, Principal, Role, Scope, TokenRecord, UserRecord

__all__ = ["Grant", "Principal", "Role", "Scope", "TokenRecord", "UserRecord"]
