"""What a subscription can do: write a line to the log, call a webhook. May import httpx and SQLModel.

Actions run after the commit, in a thread of their own, as often as it takes: a webhook that does not answer is tried
again with growing pauses, for some hours.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.db.site_tables import DeliveryRow, EventOrderRow, SubscriptionRow
from embedded_xnat.domain.networks import Network, may_be_called
from embedded_xnat.events.rights import VisitorNamed, check_creator
from service_kit.errors import NotFound, ServiceError, Unavailable
from service_kit.outbox import Dispatcher, Order
from service_kit.tables import utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx  # 0.1 s that a start without webhooks does not pay

    from service_kit.database import Database

logger = logging.getLogger(__name__)

_LOGGING = "org.nrg.xnat.eventservice.actions.EventServiceLoggingAction"
LOG_ACTION = f"{_LOGGING}:{_LOGGING}"
WEBHOOK_ACTION = "cohortflow.webhook:post"
COMPLETE, FAILED, CALLED = "ACTION_COMPLETE", "ACTION_FAILED", "ACTION_CALLED"
TIMEOUT_S = 10.0
MAX_ATTEMPTS = 30
MAX_PAUSE_S = 600.0
_RETRIED = frozenset({408, 425, 429})

Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True)
class Attribute:
    """A value that an action needs."""

    name: str
    description: str
    required: bool = False


@dataclass(frozen=True)
class ActionKind:
    """An action as it is listed."""

    key: str
    name: str
    description: str
    attributes: tuple[Attribute, ...] = ()


ACTIONS: Mapping[str, ActionKind] = {
    action.key: action
    for action in (
        ActionKind(LOG_ACTION, "Logging Action", "Writes the event to the log of the server."),
        ActionKind(
            WEBHOOK_ACTION,
            "Webhook",
            "Sends the event as JSON to an address, again and again until it is taken.",
            (
                Attribute("url", "Where the event is sent (POST); https, or http.", required=True),
                Attribute("secret", "Signs the body: X-Cohortflow-Signature is sha256= and its HMAC in hexadecimal."),
            ),
        ),
    )
}


class WebhookRefused(ServiceError):
    """The receiver said no, in a way that will not change."""


def check_attributes(action_key: str, attributes: Mapping[str, Any], allowed: Sequence[Network]) -> None:
    """Raise unless a subscription gives an action what it needs.

    Raises
    ------
    BadRequest
    """
    action = ACTIONS[action_key]
    for attribute in action.attributes:
        value = attributes.get(attribute.name, "")
        if not isinstance(value, str) or len(value) > 2000 or (attribute.required and not value):
            raise BadRequest(f"The action {action.name} needs the attribute {attribute.name}, a text.")
    unknown = set(attributes) - {attribute.name for attribute in action.attributes}
    if unknown:
        raise BadRequest(f"The action {action.name} has no attribute of one of the names given.")
    if action_key == WEBHOOK_ACTION:
        read_url(attributes["url"], allowed)


def read_url(text: str, allowed: Sequence[Network]) -> httpx.URL:
    """Return the address of a webhook, if it may be one; a host's name is looked up only when it is called.

    Raises
    ------
    BadRequest
    """
    from httpx import URL, InvalidURL  # noqa: PLC0415

    try:
        url = URL(text)
        port_is_fine = url.port is None or 0 < url.port < 65_536
    except (InvalidURL, ValueError, UnicodeError) as error:
        raise BadRequest("The url of the webhook cannot be read.") from error
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or not port_is_fine:
        raise BadRequest("The url of a webhook begins with https:// or http://, a host, and no user or password.")
    is_local_name = url.host.lower().rstrip(".") == "localhost" or url.host.lower().endswith(".localhost")
    is_closed = not may_be_called(url.host, allowed) if _is_address(url.host) else is_local_name and not allowed
    if is_closed:
        raise BadRequest(_refusal())
    return url


def _refusal() -> str:
    return (
        "The webhook's address is not a public one. An administrator of the server can allow its network: "
        "COHORTFLOW_XNAT_WEBHOOK_NETWORKS."
    )


def _is_address(host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except (OSError, ValueError):
        return False
    return True


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Actions:
    """Does what subscriptions order.

    Parameters
    ----------
    visitor_named
        Says who made a subscription, and so whether it may still be acted on.
    allowed
        Networks that webhooks may call although they are not public.
    transport
        What webhooks go out by; the network when not given.
    """

    def __init__(
        self,
        database: Database,
        *,
        visitor_named: VisitorNamed,
        allowed: Sequence[Network] = (),
        transport: httpx.BaseTransport | None = None,
        resolver: Resolve = resolve,
    ) -> None:
        self.allowed = allowed
        self._database = database
        self._visitor_named = visitor_named
        self._resolve = resolver
        self._transport = transport
        self.dispatcher = Dispatcher(
            database,
            EventOrderRow,
            handlers={"event": self._run},
            on_delivered=lambda order, result: self._settle(order, COMPLETE, str(result.get("message", ""))),
            on_dead=lambda order, error: self._settle(order, FAILED, error),
            poll_s=2.0,
            max_attempts=MAX_ATTEMPTS,
            max_backoff_s=MAX_PAUSE_S,
        )

    def start(self) -> None:
        """Begin to do what is ordered."""
        self.dispatcher.start()

    def stop(self) -> None:
        """Let the action in hand end and stop."""
        self.dispatcher.stop(timeout_s=TIMEOUT_S)
        if "_client" in vars(self):
            self._client.close()

    @cached_property
    def _client(self) -> httpx.Client:
        """Make the client for the first webhook, in the dispatcher's thread: reading certificates takes its time."""
        from httpx import Client  # noqa: PLC0415

        return Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False, transport=self._transport)

    def _run(self, order: Order) -> Mapping[str, Any]:
        with self._database.read() as uow:
            row = uow.session.get(DeliveryRow, order.payload["delivery"])
            subscription = None if row is None else uow.session.get(SubscriptionRow, row.subscription_number)
            if row is not None and subscription is not None:
                check_creator(uow.session, subscription, self._visitor_named, project_id=row.project_id)
        if row is None or subscription is None or row.payload is None:
            raise NotFound("The subscription was deleted before the event was delivered.")
        if row.action_key == WEBHOOK_ACTION:
            return self._call(row, subscription, attempts=order.attempts)
        facts = {"subscription": subscription.number, "event": row.event_type, "status": row.event_status}
        logger.info("event", extra={**facts, "uri": row.payload.get("uri")})
        return {"message": "Written to the log."}

    def _call(self, row: DeliveryRow, subscription: SubscriptionRow, *, attempts: int) -> Mapping[str, Any]:
        url = read_url(subscription.attributes["url"], self.allowed)
        body = json.dumps(row.payload, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Cohortflow",
            "X-Cohortflow-Delivery": str(row.number),
            "Host": url.netloc.decode(),
        }
        secret = subscription.attributes.get("secret")
        if secret:
            signature = hmac.digest(secret.encode(), body, hashlib.sha256).hex()
            headers["X-Cohortflow-Signature"] = f"sha256={signature}"
        target = url.copy_with(host=self._address_of(url))
        extensions = {"sni_hostname": url.host}
        with self._client.stream("POST", target, content=body, headers=headers, extensions=extensions) as answer:
            status = answer.status_code
        if status in _RETRIED or status >= 500:
            raise Unavailable(f"The receiver answered {status}; attempt {attempts} of {MAX_ATTEMPTS}.")
        if not 200 <= status < 300:
            raise WebhookRefused(f"The receiver answered {status}.")
        return {"message": f"The receiver answered {status}."}

    def _address_of(self, url: httpx.URL) -> str:
        """Return the address that is called: looked up once, so that what is checked is what is called."""
        try:
            found = self._resolve(url.host, url.port or (443 if url.scheme == "https" else 80))
        except (OSError, UnicodeError) as error:
            raise Unavailable("The name of the webhook's host is not known at the moment.") from error
        for address in found:
            if may_be_called(address.partition("%")[0], self.allowed):
                return address
        raise WebhookRefused(_refusal())

    def _settle(self, order: Order, status: str, message: str) -> None:
        with self._database.write() as uow:
            row = uow.session.get(DeliveryRow, order.payload["delivery"])
            if row is not None:
                row.status, row.message, row.settled_at = status, message, utc_now()
                uow.session.add(row)
