"""One example of everything that Keyturn says: what templates are tried with before people read."""
