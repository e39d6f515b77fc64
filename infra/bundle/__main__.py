"""`python -m infra.bundle` builds and zips the package for AWS, and says how large it is."""

from infra.bundle import zip_bundle

archive = zip_bundle("aws")
print(f"{archive}: {archive.stat().st_size:,} bytes")
