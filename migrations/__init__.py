"""How the database came to its shape, one step after the other."""
