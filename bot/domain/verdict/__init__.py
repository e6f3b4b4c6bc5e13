"""Which change did it, which version is good, and how sure that is: rules on values alone.

`incident` says what is looked at, `decide` answers. These modules need numpy and scipy, which take
a second to import: whoever uses them imports them late and works off the event loop.
"""
