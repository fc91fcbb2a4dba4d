"""The data model: one declarative table of types from which schemas, item forms, columns and setters come. Pure."""
