"""The decisions of the gateway: pure functions over frozen values. Standard library and contract only."""
