"""Which addresses a webhook may call. Pure.

Whoever may subscribe to events lets this server make requests; without a rule that reaches what only the server can
see: itself, its neighbours, the metadata service of a cloud.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

#: IPv6 addresses that stand for an IPv4 address, which may be any: NAT64, 6to4, Teredo.
_TRANSLATED = tuple(ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))


def read_networks(text: str) -> tuple[Network, ...]:
    """Return networks from a list with commas.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> read_networks("10.1.0.0/16, ::1")
    (IPv4Network('10.1.0.0/16'), IPv6Network('::1/128'))
    """
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def may_be_called(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Tell whether a webhook may call an address: a public one, or one in a network that is allowed.

    Examples
    --------
    >>> may_be_called("93.184.215.14"), may_be_called("169.254.169.254"), may_be_called("::ffff:127.0.0.1")
    (True, False, False)
    >>> may_be_called("127.0.0.1", read_networks("127.0.0.0/8"))
    True
    """
    found: IPv4Address | IPv6Address = ip_address(address)
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if any(found.version == network.version and found in network for network in allowed):
        return True
    is_translated = found.version == 6 and any(found in network for network in _TRANSLATED)
    return found.is_global and not found.is_multicast and not is_translated
