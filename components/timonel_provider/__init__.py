"""The resources of Timonel's own provider (``provider/``), as components use them.

The provider calls AWS itself, so each resource says with which account and region: a resource of this provider does
not follow ``aws.Provider``. ``AWS_ENDPOINT_URL`` and the usual credential chain are honoured by boto3.
"""

from components.timonel_provider.base import AwsAccessArgs, begin_start, start
from components.timonel_provider.certificates import (
    AuthorityArgs,
    CertificateAuthority,
    ClientCertificate,
    Password,
    ServerCertificate,
)
from components.timonel_provider.eks import EksSweep, EksTeardown
from components.timonel_provider.lifecycle import ClosingMark, Protection, ReadyCluster

__all__ = [
    "AuthorityArgs",
    "AwsAccessArgs",
    "CertificateAuthority",
    "ClientCertificate",
    "ClosingMark",
    "EksSweep",
    "EksTeardown",
    "Password",
    "Protection",
    "ReadyCluster",
    "ServerCertificate",
    "begin_start",
    "start",
]
