"""The sandbox's commands: `python -m sandbox COMMAND`. It is an environment, not a stack.

    up [--plugins genuine|stand-in|auto] [--region R] [--no-machines]
                        start what is not running: the AWS API, then the machines where this host can.
                        Idempotent; after a kill it starts again and says what was lost.
                        Ends with one line on the plugins in use.
    status [--json]     processes, endpoint, plugins, faults, stacks and machines. Exit 1 when the sandbox is not up.
    down                end every process of this sandbox and remove its state. Works on any remains; idempotent.
    exec -- CMD ARGS    run CMD (pulumi, python, aws, a shell) against the sandbox; starts nothing; exit code is CMD's.
                        `pulumi` in it never writes into the checkout (see docs/sandbox.md, "The engine's environment").
    leaks [--stack PROJECT/STACK] [--cluster EKS-CLUSTER] [--json]
                        what AWS still holds: left behind (exit 1), ending by itself, kept by policy. Inside the
                        sandbox's environment when one is up; with `--real` against the account of the environment.
    repair --stack S [--project DIR]
                        after an interrupted `pulumi up`: names and cancels a dead holder's lock, ends its orphans,
                        clears pending operations and names twins. Exit 0 when the stack may be used, 1 when its
                        holder lives. Cheap (under a second) when there is nothing to do: `make up` calls it always.
    faults [show] | faults set [--throttle RATE] [--error RATE] [--no-capacity ZONE] [--stale SECONDS] [--empty RATE]
                        [--services a,b] [--seed N] | faults clear
                        faults of the AWS API.
    calls [--json]      the journal of AWS calls: time, caller, service, action, resource, outcome.

For a Makefile:
    up:    sandbox up && sandbox repair --stack dev && sandbox exec -- pulumi stack select --create dev
           && sandbox exec -- pulumi up -s dev --yes --skip-preview
    down:  sandbox repair --stack dev && sandbox exec -- pulumi destroy -s dev --yes --skip-preview
           && sandbox leaks && sandbox down

Environment: TIMONEL_SANDBOX = the state folder (default: `.sandbox` of the checkout); TIMONEL_PLUGINS = default of
--plugins.
"""

import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["exec"] and sys.argv[2:3] != ["--help"]:
        from sandbox.engine.execute import main

        main(sys.argv[2:])  # without the imports of the other commands: a third of a second on every engine command
    from sandbox.cli import app

    app(prog_name="python -m sandbox")
