"""The decisions of the archive: addresses, names, setters, layout, roles. Pure; knows no framework."""
