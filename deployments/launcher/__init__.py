"""Starts every process of Cohortflow on one machine, keeps them running, and ends them. Imports no service."""
