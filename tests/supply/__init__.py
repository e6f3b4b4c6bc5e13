"""Where what Keyturn is made of comes from: the lock, its audit, and the bill of materials."""
