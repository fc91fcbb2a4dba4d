"""Chassis of the services: errors, database, outbox, accounts, paging, page shell. Imports no service."""
