"""`python -m infra.deployment`: deploy an environment, say what a deployment would change, or destroy it."""

from infra.deployment.commands import main

if __name__ == "__main__":
    main()
