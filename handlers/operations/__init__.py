"""What an operator can do, as use cases: called by the command line, and by whatever else operators use later.

They take the store, clients and names as values, read no environment, and print nothing: they report by what they
return or yield, or by a callback.
"""
