"""ReadyCluster: waits until ``provider.readiness`` finds nothing to wait for, several times in a row."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from provider.aws import error_code
from provider.errors import ProviderError
from provider.handler import ACCESS, Context, Handler, Input
from provider.properties import Plain
from provider.readiness import Group, Look, Verdict, judge

STATUS_KEY = "managers/status.json"
SAY_AGAIN_SECONDS = 60
"""The same sentence is repeated this often, so that a long wait does not look like a hang."""


class ReadyClusterHandler(Handler):
    """The gate gives no outputs; see ``components/timonel_provider/``."""

    inputs: ClassVar[Mapping[str, Input]] = {
        **ACCESS,
        "bucket": Input(str, replaces=True),
        "managerGroups": Input(list),
        "workerGroups": Input(list),
        "managers": Input(int, minimum=1),
        "triggers": Input(dict),
        "timeoutSeconds": Input(int, minimum=1),
        "consecutive": Input(int, minimum=1),
        "intervalSeconds": Input(int, minimum=0),
    }

    def create(self, inputs: Plain, context: Context) -> tuple[str, Plain]:
        """Wait."""
        _wait(inputs, context)
        return f"{inputs['bucket']}/ready", {}

    def update(self, state: Plain, inputs: Plain, context: Context) -> Plain:
        """Wait again."""
        _wait(inputs, context)
        return super().update(state, inputs, context)


def _wait(inputs: Plain, context: Context) -> None:
    begin = time.monotonic()
    in_a_row = 0
    said, said_at = "", 0.0
    context.log(
        f"waiting for {inputs['managers']} managers in {', '.join(inputs['managerGroups'])}, and for the workers"
    )
    while True:
        verdict = _look_and_judge(inputs, context)
        waited = time.monotonic() - begin
        if verdict.fatal:
            raise ProviderError(f"the cluster will not become ready: {'; '.join(verdict.fatal)}")
        in_a_row = 0 if verdict.waiting else in_a_row + 1
        if in_a_row >= inputs["consecutive"]:
            context.log(f"ready after {waited:.0f} s")
            return
        sentence = "; ".join(verdict.waiting) or f"healthy {in_a_row} of {inputs['consecutive']} times in a row"
        if sentence != said or waited - said_at >= SAY_AGAIN_SECONDS:
            context.log(f"{waited:.0f} s: {sentence}")
            said, said_at = sentence, waited
        if waited >= inputs["timeoutSeconds"]:
            raise ProviderError(_timed_out(inputs, context, verdict))
        if context.stop.wait(inputs["intervalSeconds"]):
            raise ProviderError("the wait for the cluster was cancelled")


def _look_and_judge(inputs: Plain, context: Context) -> Verdict:
    """One look; an answer that AWS could not give is waited for, one that it refused is not."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        return judge(_look(inputs, context), inputs["managers"], context.now())
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status in {400, 401, 403, 404} and error_code(error) not in {"Throttling", "RequestLimitExceeded"}:
            raise
        return Verdict(waiting=[f"AWS did not answer: {error}"])
    except BotoCoreError as error:
        return Verdict(waiting=[f"AWS did not answer: {error}"])


def _look(inputs: Plain, context: Context) -> Look:
    scaling = context.aws("autoscaling")
    names = [*inputs["managerGroups"], *inputs["workerGroups"]]
    pages = scaling.get_paginator("describe_auto_scaling_groups").paginate(AutoScalingGroupNames=names)
    described = {group["AutoScalingGroupName"]: group for page in pages for group in page["AutoScalingGroups"]}

    def groups(wanted: Sequence[str]) -> list[Group]:
        return [Group(name, described.get(name), _latest_refresh(scaling, name, described)) for name in wanted]

    return Look(groups(inputs["managerGroups"]), groups(inputs["workerGroups"]), _status(inputs["bucket"], context))


def _latest_refresh(scaling: Any, name: str, described: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if name not in described:
        return None
    answer = scaling.describe_instance_refreshes(AutoScalingGroupName=name, MaxRecords=1)
    latest: Mapping[str, Any] | None = next(iter(answer["InstanceRefreshes"]), None)
    return latest


def _status(bucket: str, context: Context) -> Mapping[str, Any] | None:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        body = context.aws("s3").get_object(Bucket=bucket, Key=STATUS_KEY)["Body"].read()
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            return None
        raise
    status: Mapping[str, Any] = json.loads(body)
    return status


def _timed_out(inputs: Plain, context: Context, verdict: Verdict) -> str:
    """The time-out with its reason: what is still missing, and what AWS last said about launching it."""
    lines = [f"timeoutSeconds: the cluster is not ready after {inputs['timeoutSeconds']} s. Still missing:"]
    lines += [f"  {sentence}" for sentence in verdict.waiting or ["enough healthy looks in a row"]]
    scaling = context.aws("autoscaling")
    for name in (*inputs["managerGroups"], *inputs["workerGroups"]):
        activities = scaling.describe_scaling_activities(AutoScalingGroupName=name, MaxRecords=5)["Activities"]
        failed = [activity for activity in activities if activity["StatusCode"] == "Failed"]
        lines += [f"  group {name}: {a.get('Description', '')}: {a.get('StatusMessage', '')}" for a in failed[:1]]
    lines.append("The console output of a missing instance and `timonel-node status` on a manager say more.")
    return "\n".join(lines)
