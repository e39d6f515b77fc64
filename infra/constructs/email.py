"""E-mails: the identity that sends them, and what SES reports of them to operators."""

from collections.abc import Mapping

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_ses as ses
from constructs import Construct

from handlers.notification.email_sending import ORDER_TAG, SHOP_TAG
from infra.constructs.rules import rule
from infra.constructs.suppressing import suppress
from infra.constructs.template import name_in_template
from infra.names import application_stack
from infra.settings.environment import EmailSettings

BOUNCE_DETAILS = {"type": "$.detail.bounce.bounceType", "subtype": "$.detail.bounce.bounceSubType"}
REPORTED: Mapping[str, Mapping[str, str]] = {"Bounce": BOUNCE_DETAILS, "Complaint": {}}
"""The events of SES that are reported, and what of each besides order and message: names, and where they stand."""


class Mail(Construct):
    """The identity of the sender, and the configuration set that each e-mail names.

    An address that bounces for good, or complains, gets on the account's suppression list: SES accepts further e-mails
    to it, and sends none. Bounces and complaints are in a log group, by the order that brought the e-mail and without
    the address; there is an alarm on the rate of either.
    """

    def __init__(self, scope: Construct, construct_id: str, environment: str, settings: EmailSettings) -> None:
        super().__init__(scope, construct_id)
        self.sender = settings.sender
        self._of_domain = settings.identity not in (None, settings.sender)
        self._sandbox_recipients = settings.sandbox_recipients
        self._identity = self._sender_identity(settings)
        self.configuration_set = application_stack(environment)
        made = ses.ConfigurationSet(
            self,
            "ConfigurationSet",
            configuration_set_name=self.configuration_set,
            reputation_metrics=True,
            suppression_reasons=ses.SuppressionReasons.BOUNCES_AND_COMPLAINTS,
        )
        name_in_template(made, "ConfigurationSet")
        self._configuration_set_arn = Stack.of(self).format_arn(
            service="ses", resource="configuration-set", resource_name=made.configuration_set_name
        )
        bus = events.EventBus.from_event_bus_name(self, "DefaultBus", "default")
        made.add_event_destination(
            "Reports",
            destination=ses.EventDestination.event_bus(bus),
            events=[ses.EmailSendingEvent.BOUNCE, ses.EmailSendingEvent.COMPLAINT],
        )
        self.reports = logs.LogGroup(self, "Reports", log_group_name=f"/aws/events/{self.configuration_set}-email")
        self._report(bus)

    @property
    def arns(self) -> list[str]:
        """What who sends an e-mail has to be allowed to use. In SES's sandbox that is the recipient's identity, too.

        In a domain that is an identity, an address may be one of its own, and SES checks that one then.
        """
        names = [self.sender] if self._of_domain else []
        for each in self._sandbox_recipients:
            names += [each] if "@" in each else [each, f"*@{each}"]
        stack = Stack.of(self)
        identities = [stack.format_arn(service="ses", resource="identity", resource_name=name) for name in names]
        return [self._identity.email_identity_arn, *identities, self._configuration_set_arn]

    def _sender_identity(self, settings: EmailSettings) -> ses.IEmailIdentity:
        """The identity in SES that may send: one that is there, or a new one of the sender's address."""
        if settings.identity:
            return ses.EmailIdentity.from_email_identity_name(self, "Sender", settings.identity)
        return ses.EmailIdentity(self, "Sender", identity=ses.Identity.email(settings.sender))

    def _report(self, bus: events.IEventBus) -> None:
        """Log what SES reports: of each event what is named here, for all the rest of it is about the recipient."""
        rules = []
        for kind, details in REPORTED.items():
            pattern = {
                "source": ["aws.ses"],
                "detail": {"eventType": [kind], "mail": {"tags": {"ses:configuration-set": [self.configuration_set]}}},
            }
            made = rule(Construct(self, kind), bus, pattern)
            paths = {
                "time": "$.time",
                "shop": f"$.detail.mail.tags.{SHOP_TAG}[0]",
                "order": f"$.detail.mail.tags.{ORDER_TAG}[0]",
                "message": "$.detail.mail.messageId",
                **details,
            }
            words = [f"{kind} of order <shop>.<order>, e-mail <message>", *(f"{name} <{name}>" for name in details)]
            resource = made.node.default_child
            assert isinstance(resource, events.CfnRule)
            resource.targets = [
                events.CfnRule.TargetProperty(
                    id="Reports",
                    arn=self._log_arn(),
                    input_transformer=events.CfnRule.InputTransformerProperty(
                        input_paths_map=paths,
                        input_template=f'{{"timestamp": <time>, "message": "{", ".join(words)}"}}',
                    ),
                )
            ]
            suppress(
                made,
                "Serverless-EventBusDLQ",
                "A queue would keep the event as it came, with the address of the recipient, which is logged nowhere.",
            )
            rules.append(made.rule_arn)
        self._let_write(rules)

    def _log_arn(self) -> str:
        """The log group's ARN as EventBridge wants it, without the streams."""
        return Stack.of(self).format_arn(
            service="logs",
            resource="log-group",
            resource_name=self.reports.log_group_name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def _let_write(self, rules: list[str]) -> None:
        """Let these rules write to the log group. That streams are made for a rule, no condition can say."""
        eventbridge = [iam.ServicePrincipal(f"{each}.amazonaws.com") for each in ("events", "delivery.logs")]
        logs.ResourcePolicy(
            self,
            "Policy",
            resource_policy_name=f"{self.configuration_set}-email",
            policy_statements=[
                iam.PolicyStatement(
                    principals=eventbridge,
                    actions=["logs:CreateLogStream"],
                    resources=[self.reports.log_group_arn],
                ),
                iam.PolicyStatement(
                    principals=eventbridge,
                    actions=["logs:PutLogEvents"],
                    resources=[self.reports.log_group_arn],
                    conditions={"ArnEquals": {"aws:SourceArn": rules}},
                ),
            ],
        )
