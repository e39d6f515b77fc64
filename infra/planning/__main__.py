"""`python -m infra.planning`: write the tables of docs/scaling.md again, after a change of what they follow from."""

from infra.planning.document import write

if __name__ == "__main__":
    write()
