"""Carries decisions out: steps, answers, time-outs, dispatch, reconciliation. One transaction is one decision."""
