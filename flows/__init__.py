"""Thin Prefect flows that join the stages of `tasks`. Only `deployments` may import this package."""
