"""The one error that a component raises for an input that cannot work."""

import pulumi


class InputError(pulumi.RunError):
    """An input that cannot work, found before any resource is made.

    ``pulumi.RunError`` makes the engine print the message alone, without a stack trace.
    """

    def __init__(self, path: str, got: object, rule: str, reason: str) -> None:
        """Name the input, what it was, the rule that it breaks and why the rule exists.

        Args:
            path: dotted path of the argument, in the argument's own spelling: ``managers.count``.
            got: the value, shown with ``repr``; never pass a secret.
            rule: what a right value looks like, as the end of "must ...".
            reason: what would go wrong otherwise, as a sentence.
        """
        self.path = path
        self.got = got
        self.rule = rule
        self.reason = reason
        super().__init__(f"{path}: got {got!r}, but it must {rule}. {reason}")
