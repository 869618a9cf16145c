"""Errors of EKS's API. https://docs.aws.amazon.com/eks/latest/APIReference/CommonErrors.html and each action's page."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class ResourceNotFoundError(ServiceException):
    """404: there is no such thing."""

    code = "ResourceNotFoundException"


class ResourceInUseError(ServiceException):
    """409: it exists already, or something keeps it."""

    code = "ResourceInUseException"


class InvalidParameterError(ServiceException):
    """400: a value breaks a rule."""

    code = "InvalidParameterException"


class InvalidRequestError(ServiceException):
    """400: not now, or not in this state."""

    code = "InvalidRequestException"
