"""`python -m infra.bundle` builds and zips the packages for AWS, and says how large they are."""

from infra.bundle import zip_bundles

for archive in zip_bundles("aws").values():
    print(f"{archive}: {archive.stat().st_size:,} bytes")
