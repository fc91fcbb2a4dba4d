"""Cohorts and subjects as resources, and how many sessions are in each state."""
