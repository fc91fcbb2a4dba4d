"""The released tables of the studies, as the flows wrote them."""
