"""The Lambda functions: one module each, which makes the clients, wires the use case to them, and exports `handler`.

`main` and `api` are deployment packages. Nothing else in `handlers` makes an AWS client or reads the environment.
"""
