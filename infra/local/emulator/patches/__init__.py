"""Patches of the emulator's process, where it does not behave as AWS does.

They change private parts of the emulator's own modules, of the version that is pinned: check each when changing it.
"""


def apply() -> None:
    """Patch the emulator that runs in this process."""
    # The emulator's interpreter finds this package by its own name, next to the script it runs.
    from ministack.services import apigateway_v1  # type: ignore[import-not-found]  # noqa: PLC0415
    from patches import (  # type: ignore[import-not-found]  # noqa: PLC0415
        firehose_delivery,
        mapping_templates,
        object_versions,
        scan_pages,
    )

    apigateway_v1._render_request_template_v1 = mapping_templates.render
    object_versions.patch()
    scan_pages.patch()
    firehose_delivery.patch()
