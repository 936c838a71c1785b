"""Where a request from this host may go. Pure but for the name look-up."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

NAT64 = IPv6Network("64:ff9b::/96")
"""Addresses that a gateway turns into the IPv4 address of their last 32 bits."""


class RefusedAddressError(Exception):
    """The address must not be called; the text says why."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the whole internet: not of this host, a private network, or reserved."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


async def resolve(host: str, port: int, *, allow_private: bool) -> str:
    """The address to connect to: looked up once and judged, so that the name cannot lead elsewhere afterwards.

    RefusedAddressError when any address of the name is not public, or there is none.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise RefusedAddressError(f"the host {host} cannot be found ({error.strerror or error})") from error
    addresses = [str(place[0]).partition("%")[0] for *_, place in found]
    if not allow_private:
        for address in addresses:
            if not is_public(ip_address(address)):
                raise RefusedAddressError(f"{host} leads to {address}, which is no public address")
    return addresses[0]
