"""Tags, by which bills are split."""

from aws_cdk import Tags
from constructs import IConstruct


def tag_all(scope: IConstruct, environment: str, cost_center: str | None) -> None:
    """Tag everything below `scope` that can be tagged: with the project, its environment, and who pays for it."""
    tags = Tags.of(scope)
    tags.add("project", "order-pipeline")
    tags.add("environment", environment)
    if cost_center:
        tags.add("cost-center", cost_center)
