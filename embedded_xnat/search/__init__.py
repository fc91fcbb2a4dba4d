"""Fields of the data model as SQL: what listings show and filter by, and what searches ask for."""
