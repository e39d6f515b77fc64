"""The layer of e-mail: the reputation by which SES decides whether an account may go on sending."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.constructs.email import Mail
from infra.constructs.watching.alarm import inform
from infra.settings.alarms import AlarmSettings


def watch_reputation(scope: Construct, mail: Mail, settings: AlarmSettings) -> None:
    """So many e-mails bounce, or bring complaints, that SES may pause the account's sending."""
    for rate, percent in (("BounceRate", settings.bounce_percent), ("ComplaintRate", settings.complaint_percent)):
        inform(
            scope,
            "email-reputation",
            f"The {rate} of e-mails is {percent:g} %, and SES may pause the account's sending.",
            cloudwatch.Metric(
                namespace="AWS/SES",
                metric_name=f"Reputation.{rate}",
                dimensions_map={"ses:configuration-set": mail.configuration_set},
                statistic="avg",
                period=Duration.hours(1),
            ),
            percent / 100,
            of=rate,
            # SES publishes a rate where there are new e-mails: until then it is what it was.
            missing=cloudwatch.TreatMissingData.IGNORE,
        )
