"""What the emulator does otherwise than AWS, and what a patch of its process changes.

It reaches into the emulator's own modules, of the version that is pinned: try each again when changing the version.
"""


def apply() -> None:
    """Patch the emulator that runs in this process."""
    # The emulator's interpreter finds this package by its own name, next to the script it runs.
    from ministack.services import apigateway_v1  # type: ignore[import-not-found]  # noqa: PLC0415
    from patches import deliveries, scans, velocity, versions  # type: ignore[import-not-found]  # noqa: PLC0415

    apigateway_v1._render_request_template_v1 = velocity.render
    versions.let_s3_know_versions()
    scans.let_scans_read_one_page()
    deliveries.let_events_reach_firehose()
