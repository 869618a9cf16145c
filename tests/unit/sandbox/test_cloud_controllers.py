"""What the stand-ins for the cloud's controllers decide before they call anything."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
import requests

from sandbox.kubernetes.client import Client
from sandbox.kubernetes.controllers.balancers import of_ingress, of_service
from sandbox.kubernetes.controllers.cluster import Cluster
from sandbox.kubernetes.controllers.storage import quantity

SHOP = Cluster("shop", "us-east-1", Client(requests.Session(), ""), boto3.Session(), "")


def service(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "default", "uid": "0a1b-2c3d", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec}}


def test_a_service_gets_a_classic_load_balancer_unless_it_asks_for_another() -> None:
    classic = of_service(SHOP, service())
    network = of_service(SHOP, service({"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"}))
    assert classic and network and (classic.kind, network.kind) == ("classic", "network")
    assert classic.name == "a0a1b2c3d" and classic.group_name == "k8s-elb-a0a1b2c3d"
    assert classic.tags == {"kubernetes.io/cluster/shop": "owned", "kubernetes.io/service-name": "default/web"}
    assert classic.finalizer == "service.kubernetes.io/load-balancer-cleanup"


def test_the_class_of_the_load_balancer_controller_has_its_own_tags_and_finalizer() -> None:
    wanted = of_service(SHOP, service(loadBalancerClass="service.k8s.aws/nlb"))
    assert wanted and wanted.finalizer == "service.k8s.aws/resources"
    assert wanted.tags["elbv2.k8s.aws/cluster"] == "shop" and len(wanted.name) <= 32


def test_other_classes_and_types_are_nobody_s_here() -> None:
    assert of_service(SHOP, service(loadBalancerClass="acme.io/lb")) is None
    assert of_service(SHOP, service(type="ClusterIP")) is None
    ingress = {"metadata": {"name": "i", "namespace": "default", "uid": "u"}, "spec": {"ingressClassName": "nginx"}}
    assert of_ingress(SHOP, ingress) is None


@pytest.mark.parametrize(("text", "number"), [("8Gi", 8 * 1024**3), ("1Ti", 1024**4), ("5G", 5 * 10**9), ("7", 7)])
def test_quantities_of_storage_are_bytes(text: str, number: int) -> None:
    assert quantity(text) == number
