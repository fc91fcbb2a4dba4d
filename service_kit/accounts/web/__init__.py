"""Pages of the accounts: sign in, sign out, one's own account with its API tokens. May import FastAPI and Jinja."""

from service_kit.accounts.web.install import install

__all__ = ["install"]
