"""The AWS API of a sandbox: moto in a process of its own, corrected where AWS differs and a stack can tell."""
