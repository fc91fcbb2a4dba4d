"""Tables of the governor and how they are read and written."""
