"""The CDK constructs, by concern."""
