"""Leases: claim, renew, give back. One conditional update decides; a growing token fences off the rest."""
