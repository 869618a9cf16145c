"""What the supervisor asks of an API server: objects by path, made when they are missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

Object = dict[str, Any]
MERGE = {"Content-Type": "application/merge-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}


@dataclass
class Client:
    """An administrator's view of one API server. Every method raises requests.RequestException when it is refused."""

    session: requests.Session
    endpoint: str

    def list(self, path: str, **query: str) -> list[Object]:
        """The objects of a path."""
        answer = self.session.get(f"{self.endpoint}{path}", params=query, timeout=10)
        answer.raise_for_status()
        items: list[Object] = answer.json().get("items") or []
        return items

    def ensure(self, path: str, content: Object) -> bool:
        """Make an object; True when it was not there."""
        answer = self.session.post(f"{self.endpoint}{path}", json=content, timeout=10)
        if answer.status_code == requests.codes.conflict:
            return False
        answer.raise_for_status()
        return True

    def patch(self, path: str, content: Object, *, strategic: bool = False) -> None:
        """Change an object; one that is gone is no error."""
        headers = STRATEGIC if strategic else MERGE
        answer = self.session.patch(f"{self.endpoint}{path}", json=content, headers=headers, timeout=10)
        if answer.status_code != requests.codes.not_found:
            answer.raise_for_status()

    def delete(self, path: str, **options: Any) -> None:
        """Delete an object; one that is gone is no error."""
        answer = self.session.delete(f"{self.endpoint}{path}", json=options or None, timeout=10)
        if answer.status_code != requests.codes.not_found:
            answer.raise_for_status()
