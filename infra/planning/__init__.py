"""Planning for a rate of orders: what binds first, what has to be changed, and what a month costs.

It calculates from what `make bench` measured (`measured.json`), AWS's quotas (`quotas.json`) and prices (`prices.json`)
and the descriptions of the functions. Nothing here asks AWS, or imports CDK.
"""
