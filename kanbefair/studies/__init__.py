"""The studies: what is run (design), what it says (findings), how it is drawn (figures), the columns of its tables (tables)."""
