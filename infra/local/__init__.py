"""The pipeline on one machine: the template of `infra.app`, deployed into an emulator without Docker or an account."""
