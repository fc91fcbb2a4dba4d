"""Who may have subscriptions: an administrator everything, an owner those of the project. May import SQLModel."""

from collections.abc import Callable

from sqlmodel import Session

from embedded_xnat.contract.errors import NoSuchObject, NotAllowed
from embedded_xnat.db.site_tables import SubscriptionRow
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.roles import Action, Visitor
from embedded_xnat.locate import locate
from service_kit.errors import ServiceError

#: Returns whom a user name stands for; None for nobody who may log in.
VisitorNamed = Callable[[str], Visitor | None]


class CreatorMayNot(ServiceError):
    """Whoever made a subscription may not have it any more."""

    def __init__(self) -> None:
        super().__init__("Whoever made this subscription may not manage it any more. Make it anew if it is needed.")


def check_may_manage(session: Session, visitor: Visitor, project_id: str | None) -> None:
    """Raise unless a visitor may manage subscriptions: those of the site, or of one project.

    Raises
    ------
    NotAllowed, NoSuchObject
    """
    if project_id is None:
        if not visitor.is_admin:
            raise NotAllowed("manage subscriptions for the whole site")
        return
    locate(session, Address((Step(ObjectKind.PROJECT, project_id),)), visitor, action=Action.MANAGE)


def check_creator(
    session: Session, row: SubscriptionRow, visitor_named: VisitorNamed, *, project_id: str | None
) -> None:
    """Raise unless whoever made a subscription may still have it: rights end, subscriptions stay.

    Parameters
    ----------
    project_id
        The project of the event; one that is deleted has no owners left, only those of the whole site hear of it.

    Raises
    ------
    CreatorMayNot
    """
    creator = visitor_named(row.created_by)
    if creator is None:
        raise CreatorMayNot
    if creator.everything and row.project_ids:
        return
    try:
        check_may_manage(session, creator, project_id if row.project_ids else None)
    except (NotAllowed, NoSuchObject) as error:
        raise CreatorMayNot from error
