"""`python -m infra.package` builds and zips the packages for AWS, and says how large they are and what is in them."""

import sys

from infra.package import PackageError, bill_of, build_zips

try:
    packages = build_zips("aws")
except PackageError as problem:
    sys.exit(str(problem))
for built in packages.values():
    for archive in (built.layer, *built.code.values()):
        print(f"{archive}: {archive.stat().st_size:,} bytes")
    print(f"{bill_of(built.layer)}: the bill of materials")
