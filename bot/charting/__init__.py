"""Charts as pictures. Only `apart` is for others: the rest runs in a process of its own.

That process takes a second to start, most of it for matplotlib, which nothing else imports.
"""
